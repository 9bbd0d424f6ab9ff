import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Time;

/**
 * Writes record batches and message sets with Kafka's own classes, in every format and codec, and what is in them. Runs
 * on 3.9.1, the last release that writes and converts to the old formats.
 *
 * <p>Argument: the file to write. Each line is a JSON object: b, the bytes in base64; magic, codec, type; j, the records;
 * for batches of magic 2 without control records d0 and d1, what they are in the older formats from offset `first` on.
 */
public class BatchVectors {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        try (Writer out = new OutputStreamWriter(
            new GZIPOutputStream(new FileOutputStream(arguments[0])), StandardCharsets.UTF_8)) {
            for (byte magic = 0; magic <= 2; magic++) {
                for (CompressionType codec : CompressionType.values()) {
                    if (magic < 2 && codec == CompressionType.ZSTD) continue;
                    for (TimestampType type : List.of(TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME)) {
                        if (magic == 0 && type == TimestampType.LOG_APPEND_TIME) continue;
                        for (int count : new int[] {1, 4, 50}) out.write(batch(magic, codec, type, count) + "\n");
                    }
                }
            }
            out.write(marker(ControlRecordType.COMMIT) + "\n");
            out.write(marker(ControlRecordType.ABORT) + "\n");
            out.write(leaderChange() + "\n");
        }
    }

    private static String batch(byte magic, CompressionType codec, TimestampType type, int count) throws Exception {
        Random random = new Random(magic * 100 + codec.id * 10 + count);
        long base = 1000 + random.nextInt(1000);
        boolean idempotent = magic == 2 && random.nextBoolean();
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(
            new org.apache.kafka.common.utils.ByteBufferOutputStream(1024), magic, Compression.of(codec).build(), type, base,
            1_700_000_000_000L, idempotent ? 4711 : -1, (short) (idempotent ? 3 : -1), idempotent ? Integer.MAX_VALUE - 1 : -1,
            idempotent, false, 7, Integer.MAX_VALUE);
        long offset = base;
        for (int index = 0; index < count; index++) {
            Header[] headers = magic < 2 ? new Header[0] : headers(random);
            builder.appendWithOffset(offset, magic == 0 ? -1 : 1_600_000_000_000L + random.nextInt(100000),
                bytes(random), bytes(random), headers);
            offset += 1 + (count == 4 ? random.nextInt(3) : 0);
        }
        MemoryRecords records = builder.build();
        ObjectNode line = line(records).put("magic", magic).put("codec", codec.name).put("type", type.name);
        if (magic == 2) {
            line.put("first", base + 2);
            for (byte older = 0; older < 2 && codec != CompressionType.ZSTD; older++) {
                var converted = records.downConvert(older, base + 2, Time.SYSTEM).records();
                line.put("d" + older, array(((MemoryRecords) converted).buffer()));
            }
        }
        return MAPPER.writeValueAsString(line);
    }

    private static String marker(ControlRecordType type) throws Exception {
        MemoryRecords records = MemoryRecords.withEndTransactionMarker(
            55, 1_650_000_000_000L, 9, 4711, (short) 3, new EndTransactionMarker(type, 12));
        return MAPPER.writeValueAsString(line(records).put("control", type.name()));
    }

    private static String leaderChange() throws Exception {
        LeaderChangeMessage message = new LeaderChangeMessage().setLeaderId(2)
            .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(2)))
            .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(2)));
        MemoryRecords records = MemoryRecords.withLeaderChangeMessage(
            77, 1_650_000_000_000L, 4, ByteBuffer.allocate(256), message);
        return MAPPER.writeValueAsString(line(records).put("control", "LEADER_CHANGE"));
    }

    private static ObjectNode line(MemoryRecords records) {
        ObjectNode line = MAPPER.createObjectNode().put("b", array(records.buffer()));
        ArrayNode values = line.putArray("j");
        for (RecordBatch batch : records.batches()) {
            for (Record record : batch) {
                ObjectNode value = values.addObject().put("offset", record.offset()).put("timestamp", record.timestamp());
                value.put("sequence", record.sequence());
                value.put("key", record.hasKey() ? array(record.key()) : null);
                value.put("value", record.hasValue() ? array(record.value()) : null);
                ArrayNode headers = value.putArray("headers");
                for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
            }
        }
        return line;
    }

    private static Header[] headers(Random random) {
        Header[] headers = new Header[random.nextInt(3)];
        for (int index = 0; index < headers.length; index++) headers[index] = new RecordHeader("h" + random.nextInt(50), bytes(random));
        return headers;
    }

    /** Null, or bytes that can be compressed, now and then many. */
    private static byte[] bytes(Random random) {
        if (random.nextInt(5) == 0) return null;
        byte[] bytes = new byte[random.nextInt(40) == 0 ? 3000 : random.nextInt(20)];
        for (int index = 0; index < bytes.length; index++) bytes[index] = (byte) ('a' + random.nextInt(4));
        return bytes;
    }

    private static String array(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return java.util.Base64.getEncoder().encodeToString(bytes);
    }
}
