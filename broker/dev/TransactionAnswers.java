import java.io.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * Sends the same sequence of transaction requests to a broker and prints what it answers, so that two brokers can be
 * compared line by line:
 *
 *   java -cp "$KAFKA_LIBS/*" broker/dev/TransactionAnswers.java localhost:9092 > answers.txt
 *
 * Producer ids are printed by the order in which they turned up. The topic "probe" with two partitions is made first;
 * the transactional ids carry a suffix of the moment, so that a broker can be asked again.
 */
public class TransactionAnswers {
    private static Socket socket;
    private static DataInputStream in;
    private static DataOutputStream out;
    private static int correlation = 0;
    private static final Map<Long, String> ids = new LinkedHashMap<>();
    private static final String run = Long.toString(System.currentTimeMillis(), 36);
    private static String topic = "probe-" + run;

    private record Id(long id, short epoch) {
        Id bumped() { return new Id(id, (short) (epoch + 1)); }
        Id older() { return new Id(id, (short) (epoch - 1)); }
    }

    public static void main(String[] args) throws Exception {
        String[] address = args[0].split(":");
        socket = new Socket(address[0], Integer.parseInt(address[1]));
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        socket.setTcpNoDelay(true);
        out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
        find("any");
        createTopic();
        initialise();
        version1();
        version2();
        fencing();
        verification();
        timeout();
        offsets();
        exhaustion();
        produce();
        listing();
        markers();
    }

    private static void initialise() throws IOException {
        print("# init");
        for (short v = 0; v <= 5; v++) init(v, null, 1000, null);
        init((short) 4, "", 1000, null);
        init((short) 4, id("a"), 0, null);
        init((short) 4, id("a"), -1, null);
        init((short) 4, id("a"), 60001, null);
        init((short) 4, id("a"), Integer.MAX_VALUE, null);
        init((short) 4, id("a"), 60000, new Id(-1, (short) 0));
        init((short) 4, id("a"), 60000, new Id(0, (short) -1));
        init((short) 4, null, 60000, new Id(7, (short) 3));
        init((short) 2, null, 0, null);
        for (short v = 0; v <= 5; v++) init(v, id("a"), 60000, null);
        Id known = init((short) 4, id("a"), 60000, null);
        Id next = init((short) 4, id("a"), 60000, known);
        init((short) 4, id("a"), 60000, known);
        init((short) 4, id("a"), 60000, known.older());
        init((short) 3, id("a"), 60000, known.older());
        init((short) 4, id("a"), 60000, next.bumped());
        init((short) 4, id("a"), 60000, new Id(999_999, (short) 0));
        Id other = init((short) 4, id("a"), 60000, null);
        init((short) 4, id("a"), 60000, next);
        Id fresh = init((short) 4, id("fresh"), 60000, new Id(999_999, (short) 7));
        init((short) 4, id("fresh"), 60000, new Id(999_999, (short) 7));
        describe(id("a"), id("fresh"), id("nobody"), "");
    }

    private static void version1() throws IOException {
        print("# version 1");
        for (short v = 0; v <= 3; v++) add(v, id("none"), new Id(1, (short) 0), 0);
        for (short v = 0; v <= 3; v++) add(v, "", new Id(1, (short) 0), 0);
        Id p = init((short) 4, id("v1"), 60000, null);
        end((short) 4, id("v1"), p, true);
        end((short) 4, id("v1"), p, false);
        end((short) 4, "", p, false);
        end((short) 4, id("none"), p, false);
        for (short v = 0; v <= 3; v++) {
            add(v, id("v1"), p, (int) v % 2);
            add(v, id("v1"), p, 0, 1);
            add(v, id("v1"), p.bumped(), 0);
            add(v, id("v1"), p.older(), 0);
            add(v, id("v1"), new Id(p.id + 1000, p.epoch), 0);
            add(v, id("v1"), p, 0, 7);
            describe(id("v1"));
            end((short) Math.min(v, 4), id("v1"), p.bumped(), true);
            end((short) Math.min(v, 4), id("v1"), p.older(), true);
            end((short) Math.min(v, 4), id("v1"), new Id(p.id + 1000, p.epoch), true);
            end((short) v, id("v1"), p, v % 2 == 0);
            settle(id("v1"));
            end((short) v, id("v1"), p, v % 2 == 0);
            end((short) v, id("v1"), p, v % 2 == 1);
        }
    }

    private static void version2() throws IOException {
        print("# version 2");
        for (String what : List.of("commit", "abort")) {
            boolean commit = what.equals("commit");
            String name = id("v2-" + what);
            Id p = init((short) 5, name, 60000, null);
            end((short) 5, name, p, true);
            for (int i = 0; i < 3; i++) {
                addBatch((short) 5, name, p, false, 0);
                describe(name);
                end((short) 5, name, p.bumped(), commit);
                Id q = end((short) 5, name, p, commit);
                settle(name);
                describe(name);
                end((short) 5, name, p, commit);
                end((short) 5, name, p, !commit);
                end((short) 5, name, p.older(), commit);
                p = q;
            }
            end((short) 5, name, p, true);
            Id q = end((short) 5, name, p, false);
            settle(name);
            end((short) 5, name, p, false);
            end((short) 5, name, p, true);
            end((short) 5, name, q, true);
            Id r = end((short) 5, name, q, false);
            settle(name);
            describe(name);
            init((short) 5, name, 60000, r);
        }
        String name = id("v2-empty");
        Id p = init((short) 5, name, 60000, null);
        Id q = end((short) 5, name, p, false);
        settle(name);
        describe(name);
        add((short) 3, name, q, 0);
        end((short) 4, name, q, true);
        settle(name);
        end((short) 5, name, q, true);
        end((short) 5, name, q, false);
        settle(name);
    }

    private static void fencing() throws IOException {
        print("# fencing");
        String name = id("fenced");
        Id p = init((short) 5, name, 60000, null);
        addBatch((short) 5, name, p, false, 0, 1);
        init((short) 5, name, 60000, null);
        settle(name);
        describe(name);
        init((short) 5, name, 60000, p);
        end((short) 5, name, p, true);
        end((short) 4, name, p, true);
        end((short) 4, name, p, false);
        add((short) 3, name, p, 0);
        Id q = init((short) 5, name, 60000, null);
        end((short) 5, name, p, true);
        add((short) 3, name, p, 0);
        add((short) 1, name, p, 0);
        end((short) 1, name, p, true);
        addBatch((short) 5, name, p, false, 0);
        init((short) 5, name, 60000, p);
        init((short) 3, name, 60000, p);
        add((short) 3, name, q, 0);
        init((short) 5, name, 60000, q);
        settle(name);
        describe(name);
        init((short) 5, name, 60000, q);
        init((short) 5, name, 60000, null);
    }

    private static void verification() throws IOException {
        print("# verify only");
        String name = id("verified");
        addBatch((short) 4, name, new Id(1, (short) 0), true, 0);
        addBatch((short) 4, "", new Id(1, (short) 0), true, 0);
        Id p = init((short) 5, name, 60000, null);
        for (short v = 4; v <= 5; v++) addBatch(v, name, p, true, 0, 1);
        add((short) 3, name, p, 0);
        for (short v = 4; v <= 5; v++) addBatch(v, name, p, true, 0, 1);
        addBatch((short) 4, name, p.bumped(), true, 0, 1);
        addBatch((short) 4, name, new Id(p.id + 1000, p.epoch), true, 0, 1);
        addBatch((short) 4, name, p, false, 1);
        addBatch((short) 4, name, p, false, 9);
        addBatch((short) 4, name, p, true, 9);
        describe(name);
        end((short) 4, name, p, true);
        settle(name);
        addBatch((short) 4, name, p, true, 0, 1);
    }

    private static void timeout() throws IOException {
        print("# timeout");
        String name = id("late");
        Id p = init((short) 5, name, 1, null);
        add((short) 3, name, p, 0);
        while (describe1(name).transactionState().equals("Ongoing")) pause();
        settle(name);
        describe(name);
        end((short) 4, name, p, true);
        end((short) 5, name, p, true);
        add((short) 3, name, p, 0);
        init((short) 5, name, 60000, p);
        init((short) 5, name, 60000, null);
    }

    private static void offsets() throws IOException {
        print("# offsets");
        find0("group-" + run);
        String name = id("offsets");
        Id p = init((short) 5, name, 60000, null);
        for (short v = 0; v <= 4; v++) {
            addOffsets(v, name, p.older(), "group-" + run);
            addOffsets(v, name, new Id(p.id + 1000, p.epoch), "group-" + run);
        }
        commitOffset((short) 3, name, p, "group-" + run, 5);
        commitOffset((short) 4, name, p, "group-" + run, 5);
        addOffsets((short) 4, name, p, "group-" + run);
        for (short v = 0; v <= 5; v++) commitOffset(v, name, p, "group-" + run, 5 + v);
        commitOffset((short) 3, name, p, "", 5);
        commitOffset((short) 3, name, p.bumped(), "group-" + run, 5);
        commitOffset((short) 3, name, p.older(), "group-" + run, 5);
        commitOffset((short) 5, name, p.older(), "group-" + run, 5);
        commitOffset((short) 4, name, new Id(p.id + 1000, p.epoch), "group-" + run, 5);
        commitOffset((short) 4, id("none"), p, "group-" + run, 5);
        describe(name);
        fetchOffset("group-" + run, true);
        fetchOffset("group-" + run, false);
        Id q = end((short) 5, name, p, true);
        settle(name);
        fetchOffset("group-" + run, true);
        commitOffset((short) 5, name, p, "group-" + run, 50);
        commitOffset((short) 4, name, p, "group-" + run, 50);
        commitOffset((short) 5, name, q, "group-" + run, 60);
        end((short) 5, name, q, false);
        settle(name);
        fetchOffset("group-" + run, true);
    }

    private static void exhaustion() throws IOException {
        print("# exhaustion");
        String name = id("exhausted");
        Id p = init((short) 5, name, 60000, null);
        quiet = true;
        while (p.epoch < Short.MAX_VALUE - 2) p = init((short) 5, name, 60000, p);
        quiet = false;
        p = init((short) 5, name, 60000, p);
        Id q = init((short) 5, name, 60000, p);
        init((short) 5, name, 60000, p);
        init((short) 5, name, 60000, null);
        describe(name);
        name = id("overflow");
        p = init((short) 5, name, 60000, null);
        quiet = true;
        while (p.epoch < Short.MAX_VALUE - 1) p = init((short) 5, name, 60000, p);
        quiet = false;
        addBatch((short) 5, name, p, false, 0);
        q = end((short) 5, name, p, true);
        settle(name);
        describe(name);
        end((short) 5, name, p, true);
        end((short) 5, name, p, false);
        addBatch((short) 5, name, p, false, 0);
        addBatch((short) 5, name, q, false, 0);
        init((short) 5, name, 60000, null);
        settle(name);
        init((short) 5, name, 60000, null);
        name = id("fence-last");
        p = init((short) 5, name, 60000, null);
        quiet = true;
        while (p.epoch < Short.MAX_VALUE - 1) p = init((short) 5, name, 60000, p);
        quiet = false;
        addBatch((short) 5, name, p, false, 0);
        init((short) 5, name, 60000, null);
        settle(name);
        describe(name);
        init((short) 5, name, 60000, null);
    }

    private static void produce() throws IOException {
        print("# produce");
        String name = id("writer");
        Id p = init((short) 5, name, 60000, null);
        for (short v = 3; v <= 11; v++) produce(v, name, p, 0, 0);
        produce((short) 11, null, p, 0, 0);
        produce((short) 11, id("none"), p, 0, 0);
        produce((short) 12, id("none"), p, 0, 0);
        produce((short) 11, name, new Id(p.id + 1000, p.epoch), 0, 0);
        produce((short) 12, name, new Id(p.id + 1000, p.epoch), 0, 0);
        produce((short) 11, name, p.bumped(), 0, 0);
        produce((short) 12, name, p.bumped(), 0, 0);
        produce((short) 12, name, p, 0, 3);
        describe(name);
        produce((short) 12, name, p, 0, 0);
        produce((short) 12, name, p, 0, 1);
        produce((short) 12, name, p, 0, 1);
        produce((short) 12, name, p, 0, 5);
        describe(name);
        produce((short) 11, name, p, 1, 0);
        produce((short) 8, name, p, 1, 0);
        add((short) 3, name, p, 1);
        produce((short) 11, name, p, 1, 0);
        Id q = end((short) 5, name, p, true);
        settle(name);
        produce((short) 12, name, p, 0, 2);
        produce((short) 11, name, p, 0, 2);
        produce((short) 12, name, q, 0, 1);
        produce((short) 12, name, q, 0, 0);
        describeProducers(0, 1, 2);
        Id r = end((short) 5, name, q, false);
        settle(name);
        describeProducers(0, 1, 2);
        produce((short) 12, name, r, 0, 0);
        init((short) 5, name, 60000, null);
        settle(name);
        produce((short) 12, name, r, 0, 1);
        produce((short) 11, name, r, 0, 1);
        describeProducers(0);
    }

    private static void listing() throws IOException {
        print("# listing");
        String a = id("list-a"), b = id("list-b");
        Id p = init((short) 5, a, 60000, null);
        Id q = init((short) 5, b, 60000, null);
        add((short) 3, b, q, 0);
        String pattern = ".*list-.*" + run;
        list((short) 2, List.of(), List.of(), -1, pattern);
        list((short) 2, List.of("Ongoing"), List.of(), -1, pattern);
        list((short) 2, List.of("ongoing"), List.of(), -1, pattern);
        list((short) 2, List.of("Ongoing", "Foo", "Dead", "PrepareEpochFence"), List.of(), -1, pattern);
        list((short) 2, List.of("Foo"), List.of(), -1, pattern);
        list((short) 2, List.of(), List.of(q.id), -1, pattern);
        list((short) 2, List.of(), List.of(), 0, pattern);
        list((short) 2, List.of(), List.of(), 60000, pattern);
        list((short) 2, List.of(), List.of(), -1, "list-a-" + run);
        list((short) 2, List.of(), List.of(), -1, "list-a");
        list((short) 2, List.of(), List.of(), -1, "[");
        list((short) 2, List.of(), List.of(12345678L), -1, "");
        list((short) 1, List.of(), List.of(p.id), -1, null);
        list((short) 0, List.of("Ongoing"), List.of(q.id), -1, null);
        end((short) 4, b, q, false);
        settle(b);
    }

    private static void markers() throws IOException {
        print("# markers");
        String name = id("marked");
        Id p = init((short) 5, name, 60000, null);
        add((short) 3, name, p, 0, 1);
        produce((short) 11, name, p, 0, 0);
        for (short v = 1; v <= 2; v++) {
            mark(v, p.older(), false, 0, 0, 0);
            mark(v, p, false, 0, 0, 0, 7);
            mark(v, p, false, 0, 0, 0);
            mark(v, p, true, -5, 0, 0);
            mark(v, p, true, 3, 0, 0);
            mark(v, p, true, 1, 0, 0);
        }
        mark((short) 2, p, true, 3, 2, 0);
        mark((short) 2, p.bumped(), true, 3, 2, 0);
        describeProducers(0);
        Id fresh = new Id(p.id + 5000, (short) 4);
        mark((short) 2, fresh, true, 0, 2, 1);
        describeProducers(1);
    }

    // Requests.

    private static void find(String key) throws IOException {
        for (int i = 0; i < 100; i++) {
            FindCoordinatorResponseData answer = ask(ApiKeys.FIND_COORDINATOR, (short) 4, new FindCoordinatorRequestData().setKeyType((byte) 1).setCoordinatorKeys(List.of(key)));
            InitProducerIdResponseData ready = ask(ApiKeys.INIT_PRODUCER_ID, (short) 4, new InitProducerIdRequestData().setTransactionalId("ready").setTransactionTimeoutMs(60000));
            if (answer.coordinators().get(0).errorCode() == 0 && ready.errorCode() == 0) return;
            pause();
        }
        throw new IOException("no coordinator");
    }

    private static void find0(String key) throws IOException {
        for (int i = 0; i < 100; i++) {
            FindCoordinatorResponseData answer = ask(ApiKeys.FIND_COORDINATOR, (short) 4, new FindCoordinatorRequestData().setKeyType((byte) 0).setCoordinatorKeys(List.of(key)));
            OffsetFetchResponseData ready = fetch(key, false);
            if (answer.coordinators().get(0).errorCode() == 0 && ready.groups().get(0).errorCode() == 0) return;
            pause();
        }
        throw new IOException("no coordinator");
    }

    private static void createTopic() throws IOException {
        CreateTopicsRequestData request = new CreateTopicsRequestData().setTimeoutMs(10000);
        request.topics().add(new CreateTopicsRequestData.CreatableTopic().setName(topic).setNumPartitions(2).setReplicationFactor((short) 1));
        CreateTopicsResponseData answer = ask(ApiKeys.CREATE_TOPICS, (short) 5, request);
        print("create " + Errors.forCode(answer.topics().find(topic).errorCode()));
        for (int i = 0; i < 100; i++) {
            MetadataResponseData metadata = ask(ApiKeys.METADATA, (short) 9, new MetadataRequestData().setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName(topic))));
            if (metadata.topics().find(topic).errorCode() == 0) return;
            pause();
        }
    }

    private static boolean quiet = false;

    private static Id init(short version, String name, int timeout, Id known) throws IOException {
        InitProducerIdRequestData request = new InitProducerIdRequestData().setTransactionalId(name).setTransactionTimeoutMs(timeout);
        if (known != null) request.setProducerId(version >= 3 ? known.id : -1).setProducerEpoch(version >= 3 ? known.epoch : -1);
        InitProducerIdResponseData answer = ask(ApiKeys.INIT_PRODUCER_ID, version, request);
        if (!quiet) print("init v" + version + " " + shown(name) + " " + timeout + " " + (known == null ? "-" : shown(known)) + " -> " + Errors.forCode(answer.errorCode()) + " " + shown(new Id(answer.producerId(), answer.producerEpoch())));
        return new Id(answer.producerId(), answer.producerEpoch());
    }

    private static void add(short version, String name, Id p, int... partitions) throws IOException {
        AddPartitionsToTxnRequestData request = new AddPartitionsToTxnRequestData().setV3AndBelowTransactionalId(name).setV3AndBelowProducerId(p.id).setV3AndBelowProducerEpoch(p.epoch);
        request.v3AndBelowTopics().add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName(topic).setPartitions(list(partitions)));
        AddPartitionsToTxnResponseData answer = ask(ApiKeys.ADD_PARTITIONS_TO_TXN, version, request);
        StringBuilder text = new StringBuilder();
        answer.resultsByTopicV3AndBelow().forEach(t -> t.resultsByPartition().forEach(r -> text.append(" " + r.partitionIndex() + "=" + Errors.forCode(r.partitionErrorCode()))));
        print("add v" + version + " " + shown(name) + " " + shown(p) + " " + Arrays.toString(partitions) + " ->" + text);
    }

    private static void addBatch(short version, String name, Id p, boolean verify, int... partitions) throws IOException {
        AddPartitionsToTxnRequestData request = new AddPartitionsToTxnRequestData();
        AddPartitionsToTxnRequestData.AddPartitionsToTxnTransaction transaction = new AddPartitionsToTxnRequestData.AddPartitionsToTxnTransaction().setTransactionalId(name).setProducerId(p.id).setProducerEpoch(p.epoch).setVerifyOnly(verify);
        transaction.topics().add(new AddPartitionsToTxnRequestData.AddPartitionsToTxnTopic().setName(topic).setPartitions(list(partitions)));
        request.transactions().add(transaction);
        AddPartitionsToTxnResponseData answer = ask(ApiKeys.ADD_PARTITIONS_TO_TXN, version, request);
        StringBuilder text = new StringBuilder(" " + Errors.forCode(answer.errorCode()));
        answer.resultsByTransaction().forEach(x -> x.topicResults().forEach(t -> t.resultsByPartition().forEach(r -> text.append(" " + r.partitionIndex() + "=" + Errors.forCode(r.partitionErrorCode())))));
        print("addBatch v" + version + " " + shown(name) + " " + shown(p) + (verify ? " verify " : " add ") + Arrays.toString(partitions) + " ->" + text);
    }

    private static Id end(short version, String name, Id p, boolean commit) throws IOException {
        EndTxnResponseData answer = ask(ApiKeys.END_TXN, version, new EndTxnRequestData().setTransactionalId(name).setProducerId(p.id).setProducerEpoch(p.epoch).setCommitted(commit));
        print("end v" + version + " " + shown(name) + " " + shown(p) + (commit ? " commit" : " abort") + " -> " + Errors.forCode(answer.errorCode()) + (version >= 5 ? " " + shown(new Id(answer.producerId(), answer.producerEpoch())) : ""));
        return new Id(answer.producerId(), answer.producerEpoch());
    }

    private static void addOffsets(short version, String name, Id p, String group) throws IOException {
        AddOffsetsToTxnResponseData answer = ask(ApiKeys.ADD_OFFSETS_TO_TXN, version, new AddOffsetsToTxnRequestData().setTransactionalId(name).setProducerId(p.id).setProducerEpoch(p.epoch).setGroupId(group));
        print("addOffsets v" + version + " " + shown(name) + " " + shown(p) + " -> " + Errors.forCode(answer.errorCode()));
    }

    private static void commitOffset(short version, String name, Id p, String group, long offset) throws IOException {
        TxnOffsetCommitRequestData request = new TxnOffsetCommitRequestData().setTransactionalId(name).setProducerId(p.id).setProducerEpoch(p.epoch).setGroupId(group);
        for (String t : List.of(topic, "missing"))
            request.topics().add(new TxnOffsetCommitRequestData.TxnOffsetCommitRequestTopic().setName(t).setPartitions(List.of(
                new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition().setPartitionIndex(0).setCommittedOffset(offset),
                new TxnOffsetCommitRequestData.TxnOffsetCommitRequestPartition().setPartitionIndex(9).setCommittedOffset(offset))));
        TxnOffsetCommitResponseData answer = ask(ApiKeys.TXN_OFFSET_COMMIT, version, request);
        TreeMap<String, String> sorted = new TreeMap<>();
        answer.topics().forEach(t -> t.partitions().forEach(r -> sorted.put((t.name().equals(topic) ? "probe" : t.name()) + "-" + r.partitionIndex(), Errors.forCode(r.errorCode()).toString())));
        print("commitOffset v" + version + " " + shown(name) + " " + shown(p) + " " + offset + " -> " + sorted);
    }

    private static OffsetFetchResponseData fetch(String group, boolean stable) throws IOException {
        return ask(ApiKeys.OFFSET_FETCH, (short) 8, new OffsetFetchRequestData().setRequireStable(stable).setGroups(List.of(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(group).setTopics(List.of(new OffsetFetchRequestData.OffsetFetchRequestTopics().setName(topic).setPartitionIndexes(List.of(0)))))));
    }

    private static void fetchOffset(String group, boolean stable) throws IOException {
        StringBuilder text = new StringBuilder();
        fetch(group, stable).groups().forEach(g -> g.topics().forEach(t -> t.partitions().forEach(r -> text.append(" " + r.committedOffset() + " " + Errors.forCode(r.errorCode())))));
        print("fetchOffset stable=" + stable + " ->" + text);
    }

    private static void produce(short version, String name, Id p, int partition, int sequence) throws IOException {
        MemoryRecords records = MemoryRecords.withTransactionalRecords(org.apache.kafka.common.compress.Compression.NONE, p.id, p.epoch, sequence, new SimpleRecord(1_700_000_000_000L, "k".getBytes(), "v".getBytes()));
        ProduceRequestData request = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(10000).setTransactionalId(name);
        request.topicData().add(new ProduceRequestData.TopicProduceData().setName(topic).setPartitionData(List.of(new ProduceRequestData.PartitionProduceData().setIndex(partition).setRecords(records))));
        ProduceResponseData answer = ask(ApiKeys.PRODUCE, version, request);
        StringBuilder text = new StringBuilder();
        answer.responses().forEach(t -> t.partitionResponses().forEach(r -> text.append(" " + Errors.forCode(r.errorCode()) + " at " + r.baseOffset() + " " + (r.errorMessage() == null ? "" : r.errorMessage().replace(topic, "probe").replaceAll("producer \\d+", "producer P").replaceAll("producerId \\d+", "producerId P")))));
        print("produce v" + version + " " + shown(name) + " " + shown(p) + " probe-" + partition + " seq " + sequence + " ->" + text);
    }

    private static void describeProducers(int... partitions) throws IOException {
        DescribeProducersRequestData request = new DescribeProducersRequestData();
        request.topics().add(new DescribeProducersRequestData.TopicRequest().setName(topic).setPartitionIndexes(list(partitions)));
        DescribeProducersResponseData answer = ask(ApiKeys.DESCRIBE_PRODUCERS, (short) 0, request);
        answer.topics().forEach(t -> t.partitions().forEach(r -> {
            print("producers of " + r.partitionIndex() + " -> " + Errors.forCode(r.errorCode()) + " " + r.errorMessage());
            r.activeProducers().stream().sorted(Comparator.comparingLong(DescribeProducersResponseData.ProducerState::producerId)).forEach(s ->
                print("  " + shown(new Id(s.producerId(), (short) s.producerEpoch())) + " seq " + s.lastSequence() + " coordinator " + s.coordinatorEpoch() + " first " + s.currentTxnStartOffset() + (s.lastTimestamp() == 1_700_000_000_000L ? " stamped" : s.lastTimestamp() > 0 ? " recent" : " " + s.lastTimestamp())));
        }));
    }

    private static void describe(String... names) throws IOException {
        DescribeTransactionsResponseData answer = ask(ApiKeys.DESCRIBE_TRANSACTIONS, (short) 0, new DescribeTransactionsRequestData().setTransactionalIds(List.of(names)));
        for (DescribeTransactionsResponseData.TransactionState s : answer.transactionStates()) {
            TreeSet<String> partitions = new TreeSet<>();
            s.topics().forEach(t -> t.partitions().forEach(i -> partitions.add(t.topic().equals(topic) ? "probe-" + i : t.topic())));
            print("describe " + shown(s.transactionalId()) + " -> " + Errors.forCode(s.errorCode()) + " " + s.transactionState() + " " + s.transactionTimeoutMs() + " started " + (s.transactionStartTimeMs() > 0 ? "recently" : s.transactionStartTimeMs()) + " " + shown(new Id(s.producerId(), s.producerEpoch())) + " " + partitions);
        }
    }

    private static void list(short version, List<String> states, List<Long> producers, long duration, String pattern) throws IOException {
        ListTransactionsRequestData request = new ListTransactionsRequestData().setStateFilters(states).setProducerIdFilters(producers);
        if (version >= 1) request.setDurationFilter(duration);
        if (version >= 2) request.setTransactionalIdPattern(pattern);
        ListTransactionsResponseData answer = ask(ApiKeys.LIST_TRANSACTIONS, version, request);
        TreeSet<String> found = new TreeSet<>();
        answer.transactionStates().forEach(s -> found.add(shown(s.transactionalId()) + ":" + s.transactionState() + ":" + shown(new Id(s.producerId(), (short) 0))));
        print("list v" + version + " " + states + " " + producers.stream().map(it -> shown(new Id(it, (short) 0))).toList() + " " + duration + " " + (pattern == null ? "-" : pattern.replace(run, "RUN")) + " -> " + Errors.forCode(answer.errorCode()) + " unknown " + answer.unknownStateFilters() + " " + found);
    }

    private static void mark(short version, Id p, boolean commit, int coordinatorEpoch, int transactionVersion, int... partitions) throws IOException {
        WriteTxnMarkersRequestData.WritableTxnMarker marker = new WriteTxnMarkersRequestData.WritableTxnMarker().setProducerId(p.id).setProducerEpoch(p.epoch).setTransactionResult(commit).setCoordinatorEpoch(coordinatorEpoch);
        if (version >= 2) marker.setTransactionVersion((byte) transactionVersion);
        marker.topics().add(new WriteTxnMarkersRequestData.WritableTxnMarkerTopic().setName(topic).setPartitionIndexes(list(partitions)));
        WriteTxnMarkersResponseData answer = ask(ApiKeys.WRITE_TXN_MARKERS, version, new WriteTxnMarkersRequestData().setMarkers(List.of(marker)));
        TreeMap<Integer, String> found = new TreeMap<>();
        answer.markers().forEach(m -> m.topics().forEach(t -> t.partitions().forEach(r -> found.put(r.partitionIndex(), Errors.forCode(r.errorCode()).toString()))));
        print("mark v" + version + " " + shown(p) + (commit ? " commit" : " abort") + " by " + coordinatorEpoch + " txn v" + transactionVersion + " -> " + found);
    }

    /** Waits until the markers of a transaction are written: a broker may answer before. */
    private static void settle(String name) throws IOException {
        for (int i = 0; i < 1000; i++) {
            if (!describe1(name).transactionState().startsWith("Prepare")) return;
            pause();
        }
        throw new IOException(name + " does not end");
    }

    private static DescribeTransactionsResponseData.TransactionState describe1(String name) throws IOException {
        DescribeTransactionsResponseData answer = ask(ApiKeys.DESCRIBE_TRANSACTIONS, (short) 0, new DescribeTransactionsRequestData().setTransactionalIds(List.of(name)));
        return answer.transactionStates().get(0);
    }

    // Transport and text.

    @SuppressWarnings("unchecked")
    private static <T extends ApiMessage> T ask(ApiKeys api, short version, ApiMessage body) throws IOException {
        RequestHeader header = new RequestHeader(api, version, "probe", ++correlation);
        ByteBuffer bytes = org.apache.kafka.common.requests.RequestUtils.serialize(header.data(), header.headerVersion(), body, version);
        out.writeInt(bytes.remaining());
        out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        out.flush();
        byte[] reply = in.readNBytes(in.readInt());
        ByteBufferAccessor accessor = new ByteBufferAccessor(ByteBuffer.wrap(reply));
        new ResponseHeaderData(accessor, api.responseHeaderVersion(version));
        ApiMessage answer = api.messageType.newResponse();
        answer.read(accessor, version);
        return (T) answer;
    }

    private static void pause() {
        java.util.concurrent.locks.LockSupport.parkNanos(5_000_000);
    }

    private static List<Integer> list(int... values) { return Arrays.stream(values).boxed().toList(); }

    private static String id(String name) { return name + "-" + run; }

    private static String shown(String name) { return name == null ? "null" : name.replace("-" + run, ""); }

    private static String shown(Id p) {
        String name = p.id < 0 || p.id == 999_999 ? Long.toString(p.id) : null;
        if (name == null) {
            long base = ids.keySet().stream().filter(it -> p.id == it + 1000 || p.id == it + 5000).findFirst().orElse(-1L);
            name = ids.containsKey(p.id) ? ids.get(p.id) : base >= 0 ? ids.get(base) + "+" + (p.id - base) : null;
            if (name == null) ids.put(p.id, name = "P" + ids.size());
        }
        return name + ":" + p.epoch;
    }

    private static void print(String line) { System.out.println(line); }
}
