import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads all of a cluster as Kafdrop and its like do, and prints it: BOOTSTRAP. */
public class Browser {
    public static void main(String[] args) throws Exception {
        Map<String, Object> base = Map.of("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(base);
             var consumer = new KafkaConsumer<>(base, new StringDeserializer(), new StringDeserializer())) {
            var cluster = admin.describeCluster();
            System.out.println("cluster nodes=" + cluster.nodes().get().size() + " controller=" + (cluster.controller().get() != null));
            var topics = new TreeMap<>(admin.describeTopics(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get()).allTopicNames().get());
            List<ConfigResource> resources = topics.keySet().stream().map(name -> new ConfigResource(ConfigResource.Type.TOPIC, name)).toList();
            var configs = admin.describeConfigs(resources).all().get();
            List<TopicPartition> partitions = new ArrayList<>();
            for (var topic : topics.values()) {
                String policy = configs.get(new ConfigResource(ConfigResource.Type.TOPIC, topic.name())).get("cleanup.policy").value();
                System.out.println("topic " + topic.name() + " partitions=" + topic.partitions().size() + " internal=" + topic.isInternal() + " policy=" + policy);
                topic.partitions().forEach(partition -> partitions.add(new TopicPartition(topic.name(), partition.partition())));
            }
            var first = consumer.beginningOffsets(partitions);
            var last = consumer.endOffsets(partitions);
            for (var group : admin.listGroups().all().get()) {
                for (var place : admin.listConsumerGroupOffsets(group.groupId()).partitionsToOffsetAndMetadata().get().entrySet()) {
                    long lag = last.get(place.getKey()) - place.getValue().offset();
                    System.out.println("group " + group.groupId() + " " + place.getKey() + " offset=" + place.getValue().offset() + " lag=" + lag);
                }
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long left = partitions.stream().mapToLong(partition -> last.get(partition) - first.get(partition)).sum();
            int silent = 0;
            while (left > 0 && silent < 100) {
                var records = consumer.poll(Duration.ofMillis(200));
                silent = records.isEmpty() ? silent + 1 : 0;
                for (var record : records) {
                    left--;
                    if (!topics.get(record.topic()).isInternal()) System.out.println("message " + record.topic() + " " + record.value());
                }
            }
        }
    }
}
