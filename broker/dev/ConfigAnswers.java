import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;

/**
 * Asks a running Apache Kafka about its settings, changes them, and prints what it answered, for
 * broker/src/config/testdata/answers.tsv. Node 1, freshly started with the properties that stand at the top of that file:
 *
 *   java -cp "$KAFKA_LIBS/*" broker/dev/ConfigAnswers.java localhost:9092 server.properties > answers.tsv
 *
 * Lines: "static" and a line of the properties; "create" or "alter" with names and values, then "->" and the answer;
 * "describe" with a resource, and an "entry" for each of its settings (name, value, source, flags, type, synonyms).
 * Null is \N.
 */
public class ConfigAnswers {
    private static Admin admin;

    public static void main(String[] args) throws Exception {
        for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of(args[1]))) {
            if (!line.isBlank()) print("static", line);
        }
        admin = Admin.create(Map.of("bootstrap.servers", args[0]));
        admin.createTopics(List.of(new NewTopic("t", 1, (short) 1).configs(Map.of("cleanup.policy", "compact", "retention.ms", " 1234567 "))), new CreateTopicsOptions()).all().get();
        print("topic", "cleanup.policy", "compact", "retention.ms", " 1234567 ");
        describeAll();
        creations();
        topics();
        brokers();
        groups();
        clientMetrics();
        describeAll();
        admin.close();
    }

    private static void describeAll() throws Exception {
        describe(Type.BROKER, "1");
        describe(Type.BROKER, "");
        describe(Type.TOPIC, "t");
        describe(Type.GROUP, "g");
        describe(Type.CLIENT_METRICS, "m");
    }

    private static void creations() throws Exception {
        for (String[] configs : new String[][] {
            {"bogus", "1"}, {"retention.ms", "abc"}, {"retention.ms", "-2"}, {"retention.ms", ""}, {"retention.ms", " 5 "},
            {"retention.ms", "+5"}, {"retention.ms", "0x10"}, {"retention.ms", null}, {"retention.bytes", "-5"},
            {"segment.bytes", "10"}, {"segment.ms", "0"}, {"cleanup.policy", "x"}, {"cleanup.policy", ""},
            {"cleanup.policy", "delete,delete"}, {"cleanup.policy", "compact, delete"}, {"compression.type", "foo"},
            {"compression.type", "GZIP"}, {"compression.type", ""}, {"preallocate", "yes"}, {"preallocate", "TRUE"},
            {"min.cleanable.dirty.ratio", "1.5"}, {"min.cleanable.dirty.ratio", "abc"}, {"min.cleanable.dirty.ratio", "NaN"},
            {"min.cleanable.dirty.ratio", ".5f"}, {"compression.gzip.level", "0"}, {"compression.gzip.level", "10"},
            {"compression.zstd.level", "99"}, {"compression.lz4.level", "0"}, {"message.timestamp.type", "foo"},
            {"min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"}, {"remote.storage.enable", "true"},
            {"leader.replication.throttled.replicas", "abc"}, {"leader.replication.throttled.replicas", "1:2"},
            {"leader.replication.throttled.replicas", "*"}, {"internal.segment.bytes", "1000"},
            {"max.message.bytes", "99999999999"}, {"min.insync.replicas", "0"}, {"min.insync.replicas", "5"},
            {"local.retention.ms", "100000000000"}, {"message.format.version", "2.0"},
            {"retention.ms", "x", "segment.bytes", "y"}, {"bogus", "1", "retention.ms", "x"}, {"unclean.leader.election.enable", "true"},
        }) create(configs);
    }

    private static void topics() throws Exception {
        for (String[] change : new String[][] {
            {"SET", "bogus", "1"}, {"SET", "retention.ms", "abc"}, {"DELETE", "bogus", ""}, {"DELETE", "segment.ms", ""},
            {"APPEND", "cleanup.policy", "delete"}, {"APPEND", "cleanup.policy", "delete"}, {"APPEND", "cleanup.policy", "foo"},
            {"SUBTRACT", "cleanup.policy", "delete"}, {"SUBTRACT", "cleanup.policy", "zork"}, {"SUBTRACT", "cleanup.policy", "compact"},
            {"DELETE", "cleanup.policy", ""}, {"APPEND", "cleanup.policy", "compact"},
            {"APPEND", "retention.ms", "5"}, {"SUBTRACT", "retention.ms", "5"}, {"APPEND", "bogus", "5"},
            {"SET", "retention.ms", "5", "SET", "retention.ms", "6"}, {"SET", "segment.ms", "5", "DELETE", "segment.ms", ""},
            {"SET", "segment.ms", null}, {}, {"SET", "min.compaction.lag.ms", "100000"}, {"SET", "max.compaction.lag.ms", "100"},
            {"SET", "leader.replication.throttled.replicas", "0:1,0:1"}, {"APPEND", "leader.replication.throttled.replicas", "0:1"},
            {"APPEND", "leader.replication.throttled.replicas", "0:2,0:3"}, {"SET", "preallocate", "True"},
            {"SET", "compression.type", "snappy"}, {"SET", "cleanup.policy", "compact,foo,bar"}, {"SET", "internal.segment.bytes", "5000"},
            {"SET", "preallocate", "true", "SET", "bogus", "x"}, {"SET", "retention.ms", ""}, {"SET", "min.cleanable.dirty.ratio", "1e-5"},
        }) alter(Type.TOPIC, "t", change);
    }

    private static void brokers() throws Exception {
        for (String broker : List.of("", "1")) {
            for (String[] change : new String[][] {
                {"SET", "metrics.context.x", "1"}, {"SET", "log.retention.ms", "1000000"}, {"SET", "log.retention.ms", "abc"},
                {"SET", "log.retention.ms", "0"}, {"SET", "num.io.threads", "100"}, {"SET", "num.io.threads", "9"}, {"SET", "num.io.threads", "1"},
                {"SET", "num.partitions", "9"}, {"SET", "log.retention.hours", "9"}, {"SET", "ssl.keystore.location", "/x"},
                {"SET", "ssl.keystore.type", "x", "SET", "listeners", "y"}, {"SET", "listener.name.plaintext.ssl.keystore.type", "PKCS12"},
                {"SET", "listener.name.plaintext.max.connections", "50"}, {"SET", "listener.name.x.bogus", "50"},
                {"SET", "listener.name.plaintext.ssl.client.auth", "zz"}, {"SET", "listener.name.plaintext.log.retention.ms", "5"},
                {"SET", "log.cleanup.policy", "compact"}, {"APPEND", "log.cleanup.policy", "delete"}, {"SUBTRACT", "log.cleanup.policy", "compact"},
                {"SET", "log.cleanup.policy", "x"}, {"APPEND", "log.retention.ms", "5"}, {"APPEND", "bogus", "5"}, {"SUBTRACT", "num.partitions", "5"},
                {"SET", "max.connections", "12"}, {"SET", "message.max.bytes", "120"}, {"SET", "log.segment.bytes", "12"},
                {"SET", "leader.replication.throttled.rate", "12"}, {"SET", "leader.replication.throttled.rate", "-1"},
                {"SET", "advertised.listeners", "PLAINTEXT://1.2.3.4:9"}, {"DELETE", "num.io.threads", ""}, {"DELETE", "bogus", ""},
                {"DELETE", "num.partitions", ""}, {"SET", "min.insync.replicas", "2"}, {"DELETE", "min.insync.replicas", ""},
                {"SET", "min.insync.replicas", "0"}, {"SET", "sasl.jaas.config", "2"}, {"SET", "unclean.leader.election.enable", "true"},
                {"SET", "log.flush.interval.ms", "500"}, {"SET", "log.roll.ms", "0"}, {"SET", "max.connections.per.ip", "0"},
                {"SET", "log.cleaner.threads", "2"}, {"SET", "log.cleaner.threads", "5"}, {"SET", "background.threads", "3"},
                {"SET", "log.cleaner.dedupe.buffer.size", "5"}, {"SET", "group.consumer.assignment.interval.ms", "99999999"},
                {"SET", "producer.id.expiration.ms", "0"}, {"SET", "cordoned.log.dirs", "/nope"}, {"SET", "log.retention.ms", ""},
                {"SET", "log.cleaner.min.compaction.lag.ms", "50", "SET", "log.cleaner.max.compaction.lag.ms", "5"},
                {"SET", "compression.type", "x"}, {"SET", "log.cleaner.min.cleanable.ratio", "0.25"},
            }) {
                alter(Type.BROKER, broker, change);
                Thread.sleep(150); // the broker hears of its own settings from the metadata log
            }
        }
    }

    private static void groups() throws Exception {
        for (String[] change : new String[][] {
            {"SET", "bogus", "1"}, {"SET", "consumer.session.timeout.ms", "1"}, {"SET", "consumer.session.timeout.ms", "50000"},
            {"SET", "consumer.session.timeout.ms", "500000"}, {"SET", "consumer.heartbeat.interval.ms", "1"},
            {"SET", "consumer.heartbeat.interval.ms", "14000"}, {"SET", "consumer.heartbeat.interval.ms", "99000"},
            {"SET", "consumer.heartbeat.interval.ms", "x"}, {"SET", "consumer.session.timeout.ms", "9000"},
            {"SET", "share.auto.offset.reset", "foo"},
            {"SET", "share.auto.offset.reset", "by_duration:PT1H"}, {"SET", "share.auto.offset.reset", "by_duration:-PT1H"},
            {"SET", "share.auto.offset.reset", "EARLIEST"}, {"SET", "share.isolation.level", "foo"},
            {"SET", "share.record.lock.duration.ms", "100"}, {"SET", "share.record.lock.duration.ms", "2000"},
            {"SET", "share.record.lock.duration.ms", "99999999"}, {"SET", "share.delivery.count.limit", "1"},
            {"SET", "share.delivery.count.limit", "11"}, {"SET", "share.partition.max.record.locks", "99999"},
            {"SET", "share.session.timeout.ms", "99999999"}, {"SET", "share.heartbeat.interval.ms", "9"},
            {"SET", "streams.session.timeout.ms", "9"}, {"SET", "streams.heartbeat.interval.ms", "99999999"},
            {"SET", "streams.num.standby.replicas", "99"}, {"SET", "streams.initial.rebalance.delay.ms", "99999999"},
            {"SET", "consumer.assignment.interval.ms", "99999999"}, {"SET", "share.assignment.interval.ms", "99999999"},
            {"SET", "streams.assignment.interval.ms", "99999999"}, {"DELETE", "bogus", ""},
            {"APPEND", "share.isolation.level", "read_committed"}, {"SET", "share.renew.acknowledge.enable", "maybe"},
        }) alter(Type.GROUP, "g", change);
    }

    private static void clientMetrics() throws Exception {
        for (String[] change : new String[][] {
            {"SET", "bogus", "1"}, {"SET", "interval.ms", "1"}, {"SET", "interval.ms", "1000"}, {"SET", "interval.ms", "x"},
            {"SET", "interval.ms", "3600001"}, {"SET", "match", "client_id=x.*"}, {"SET", "match", "bogus=x.*"},
            {"SET", "match", "client_id"}, {"SET", "match", "client_id=["}, {"APPEND", "metrics", "c"}, {"SET", "interval.ms", "1000", "SET", "bogus", "1"},
        }) alter(Type.CLIENT_METRICS, "m", change);
    }

    private static void create(String... configs) throws Exception {
        Map<String, String> map = new LinkedHashMap<>();
        List<String> line = new ArrayList<>(List.of("create"));
        for (int i = 0; i < configs.length; i += 2) {
            map.put(configs[i], configs[i + 1]);
            line.addAll(Arrays.asList(configs[i], configs[i + 1]));
        }
        var topic = new NewTopic("made", 1, (short) 1).configs(map);
        answer(line, admin.createTopics(List.of(topic), new CreateTopicsOptions().validateOnly(true)).all());
    }

    private static void alter(Type type, String name, String... change) throws Exception {
        List<AlterConfigOp> ops = new ArrayList<>();
        List<String> line = new ArrayList<>(List.of("alter", type.toString(), name));
        for (int i = 0; i < change.length; i += 3) {
            ops.add(new AlterConfigOp(new ConfigEntry(change[i + 1], change[i + 2]), AlterConfigOp.OpType.valueOf(change[i])));
            line.addAll(Arrays.asList(change[i], change[i + 1], change[i + 2]));
        }
        answer(line, admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), ops)).all());
    }

    private static void answer(List<String> line, org.apache.kafka.common.KafkaFuture<Void> future) throws Exception {
        line.add("->");
        try {
            future.get();
            line.add("OK");
        } catch (ExecutionException e) {
            line.add(e.getCause().getClass().getSimpleName());
            line.add(e.getCause().getMessage());
        }
        print(line.toArray(new String[0]));
    }

    private static void describe(Type type, String name) throws Exception {
        Thread.sleep(500);
        print("describe", type.toString(), name);
        Config config = admin.describeConfigs(List.of(new ConfigResource(type, name)), new DescribeConfigsOptions().includeSynonyms(true)).all().get().values().iterator().next();
        List<ConfigEntry> entries = new ArrayList<>(config.entries());
        entries.sort(Comparator.comparing(ConfigEntry::name));
        for (ConfigEntry entry : entries) {
            List<String> line = new ArrayList<>(Arrays.asList("entry", entry.name(), entry.value(), entry.source().toString(),
                (entry.isSensitive() ? "s" : "") + (entry.isReadOnly() ? "r" : ""), entry.type().toString()));
            for (var synonym : entry.synonyms()) line.addAll(Arrays.asList(synonym.source().toString(), synonym.name(), synonym.value()));
            print(line.toArray(new String[0]));
        }
    }

    private static void print(String... fields) {
        StringJoiner line = new StringJoiner("\t");
        for (String field : fields) line.add(field == null ? "\\N" : field.replace("\n", " "));
        System.out.println(line);
    }
}
