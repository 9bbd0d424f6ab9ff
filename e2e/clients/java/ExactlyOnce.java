import java.time.Duration;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/** A Streams application with exactly_once_v2 that counts words in a state store: BOOTSTRAP RECORDS. */
public class ExactlyOnce {
    static final int WORDS = 10;
    static final Duration PATIENCE = Duration.ofSeconds(120);

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        int records = Integer.parseInt(args[1]);
        Map<String, Object> base = Map.of("bootstrap.servers", bootstrap);
        try (Admin admin = Admin.create(base)) {
            admin.createTopics(List.of(new NewTopic("words", 2, (short) 1), new NewTopic("counts", 2, (short) 1))).all().get();
        }
        Map<String, Object> producing = new HashMap<>(base);
        producing.put("transactional.id", "writer");
        try (var producer = new KafkaProducer<>(producing, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            // What is aborted must not be counted.
            for (boolean commit : new boolean[] {false, true}) {
                producer.beginTransaction();
                for (int number = 0; number < records; number++) {
                    producer.send(new ProducerRecord<>("words", null, "word" + number % WORDS));
                }
                producer.flush();
                if (commit) producer.commitTransaction(); else producer.abortTransaction();
            }
        }
        // In two runs: the second goes on with the first one's state and offsets.
        run(bootstrap, records);
        try (var producer = new KafkaProducer<>(base, new StringSerializer(), new StringSerializer())) {
            for (int number = 0; number < records; number++) producer.send(new ProducerRecord<>("words", null, "word" + number % WORDS));
        }
        run(bootstrap, 2 * records);
        System.out.println("counted " + 2 * records);
    }

    static void run(String bootstrap, int records) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("words", Consumed.with(Serdes.String(), Serdes.String()))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count()
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        Properties streaming = new Properties();
        streaming.put("bootstrap.servers", bootstrap);
        streaming.put("application.id", "exactly-once");
        streaming.put("processing.guarantee", "exactly_once_v2");
        streaming.put("commit.interval.ms", "100");
        streaming.put("num.stream.threads", "2");
        // A closed application stays in its group until its session ends.
        streaming.put("session.timeout.ms", "6000");
        streaming.put("state.dir", System.getProperty("java.io.tmpdir") + "/state-" + records);
        streaming.put("auto.offset.reset", "earliest");
        CountDownLatch failed = new CountDownLatch(1);
        try (KafkaStreams streams = new KafkaStreams(builder.build(), streaming)) {
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                failed.countDown();
                return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.cleanUp();
            streams.start();
            awaitCounts(bootstrap, records, failed);
        }
        if (failed.await(0, TimeUnit.SECONDS)) throw new IllegalStateException("a stream thread failed");
    }

    /** Reads committed counts until each word has its share, and fails where one goes beyond it. */
    static void awaitCounts(String bootstrap, int records, CountDownLatch failed) throws Exception {
        Map<String, Object> reading = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
        Map<String, Long> counts = new TreeMap<>();
        long share = records / WORDS;
        try (var consumer = new KafkaConsumer<>(reading, new StringDeserializer(), new LongDeserializer())) {
            consumer.assign(List.of(new TopicPartition("counts", 0), new TopicPartition("counts", 1)));
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (counts.size() < WORDS || counts.values().stream().anyMatch(count -> count < share)) {
                if (System.nanoTime() > deadline || failed.getCount() == 0) throw new IllegalStateException("counted only " + counts);
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    if (record.value() > share) throw new IllegalStateException("counted twice: " + record);
                    Long before = counts.put(record.key(), record.value());
                    if (before != null && before > record.value()) throw new IllegalStateException("a count went back: " + record);
                }
            }
        }
    }
}
