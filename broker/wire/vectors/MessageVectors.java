import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.File;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.jar.JarFile;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/**
 * Writes test vectors with Kafka's own generated classes: for each message and version its default value and some
 * pseudo-random ones, as bytes and as Kafka's JSON. The random values are the same in every run.
 *
 * <p>Arguments: the folder with a release's jars, the file to write, "stable" to leave out versions that the release
 * does not serve by default or "all", random values per version. Each line is a JSON object: m, the message's name;
 * v, the version; b, the bytes in base64; j, the value.
 */
public class MessageVectors {
    private static final ObjectMapper MAPPER =
        JsonMapper.builder().configure(JsonParser.Feature.ALLOW_COMMENTS, true).build();
    private static final String TEXT = "abcdefghijklmnopqrstuvwxyz.-_0123456789éß漢🦀";

    private final Random random;
    private final int version;
    private final Map<String, JsonNode> structs = new HashMap<>();

    private MessageVectors(String name, int version, int round) {
        this.version = version;
        this.random = new Random(name.hashCode() * 1000003L + version * 1009L + round);
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> classes = new HashMap<>();
        Map<String, JsonNode> definitions = new TreeMap<>();
        for (File file : new File(arguments[0]).listFiles((folder, name) -> name.matches("kafka-[a-z-]+[0-9.]+jar"))) {
            scan(file, classes, definitions);
        }
        boolean stable = arguments[2].equals("stable");
        int rounds = Integer.parseInt(arguments[3]);
        GZIPOutputStream gzip = new GZIPOutputStream(new FileOutputStream(arguments[1])) {{
            def.setLevel(Deflater.BEST_COMPRESSION);
        }};
        try (Writer out = new OutputStreamWriter(gzip, StandardCharsets.UTF_8)) {
            for (JsonNode definition : definitions.values()) {
                // Only requests say that their highest version is not stable yet; it holds for their replies too.
                JsonNode request = definitions.getOrDefault(definition.get("name").asText().replace("Response", "Request"), definition);
                int unstable = stable && request.path("latestVersionUnstable").asBoolean() ? 1 : 0;
                message(definition, classes, unstable, rounds, out);
            }
        }
    }

    private static void scan(File file, Map<String, String> classes, Map<String, JsonNode> definitions) throws Exception {
        try (JarFile jar = new JarFile(file)) {
            for (var entry : Collections.list(jar.entries())) {
                String name = entry.getName();
                if (name.endsWith("JsonConverter.class")) {
                    String converter = name.substring(0, name.length() - ".class".length()).replace('/', '.');
                    classes.put(converter.substring(converter.lastIndexOf('.') + 1), converter);
                } else if (name.endsWith(".json") && !file.getName().startsWith("kafka-streams")) {
                    try (InputStream in = jar.getInputStream(entry)) {
                        JsonNode definition = MAPPER.readTree(in);
                        definitions.put(definition.get("name").asText(), definition);
                    }
                }
            }
        }
    }

    private static void message(
        JsonNode definition, Map<String, String> classes, int unstable, int rounds, Writer out
    ) throws Exception {
        String name = definition.get("name").asText();
        String converter = classes.getOrDefault(name + "DataJsonConverter", classes.get(name + "JsonConverter"));
        int[] valid = range(definition.get("validVersions").asText());
        if (valid == null || converter == null) return;
        String type = converter.substring(0, converter.length() - "JsonConverter".length());
        Class<?> json = Class.forName(converter);
        Method read = json.getMethod("read", JsonNode.class, short.class);
        Method write = json.getMethod("write", Class.forName(type), short.class, boolean.class);
        for (int version = valid[0]; version <= valid[1] - unstable; version++) {
            Message empty = (Message) Class.forName(type).getConstructor().newInstance();
            line(name, version, empty, write, out);
            for (int round = 0; round < rounds; round++) {
                MessageVectors vectors = new MessageVectors(name, version, round);
                definition.path("commonStructs").forEach(one -> vectors.structs.put(one.get("name").asText(), one.get("fields")));
                JsonNode value = vectors.struct(definition.get("fields"), 0);
                Message message = (Message) read.invoke(null, value, (short) version);
                int[] flexible = range(definition.path("flexibleVersions").asText("none"));
                if (round == 0 && flexible != null && version >= flexible[0]) {
                    message.unknownTaggedFields().add(new RawTaggedField(1000, "unknown".getBytes(StandardCharsets.UTF_8)));
                    message.unknownTaggedFields().add(new RawTaggedField(70000, new byte[0]));
                }
                line(name, version, message, write, out);
            }
        }
    }

    private static void line(String name, int version, Message message, Method write, Writer out) throws Exception {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        MessageSizeAccumulator size = new MessageSizeAccumulator();
        message.addSize(size, cache, (short) version);
        ByteBuffer buffer = ByteBuffer.allocate(size.totalSize());
        message.write(new ByteBufferAccessor(buffer), cache, (short) version);
        ObjectNode line = MAPPER.createObjectNode();
        line.put("m", name).put("v", version).put("b", Base64.getEncoder().encodeToString(buffer.array()));
        line.set("j", (JsonNode) write.invoke(null, message, (short) version, false));
        out.write(MAPPER.writeValueAsString(line) + "\n");
    }

    private ObjectNode struct(JsonNode fields, int depth) {
        fields.forEach(field -> {
            if (field.has("fields")) structs.put(field.get("type").asText().replace("[]", ""), field.get("fields"));
        });
        ObjectNode node = MAPPER.createObjectNode();
        for (JsonNode field : fields) {
            int[] tagged = range(field.path("taggedVersions").asText("none"));
            int[] versions = range(field.has("versions") ? field.get("versions").asText() : field.get("taggedVersions").asText());
            if (!contains(versions)) continue;
            if (contains(tagged) && random.nextInt(4) == 0) continue;
            boolean nullable = contains(range(field.path("nullableVersions").asText("none")));
            String name = field.get("name").asText();
            String key = Character.toLowerCase(name.charAt(0)) + name.substring(1);
            boolean isNull = nullable && random.nextInt(4) == 0;
            node.set(key, isNull ? NullNode.instance : value(field.get("type").asText(), depth));
        }
        return node;
    }

    private boolean contains(int[] range) {
        return range != null && range[0] <= version && version <= range[1];
    }

    private JsonNode value(String type, int depth) {
        if (type.startsWith("[]")) {
            ArrayNode array = MAPPER.createArrayNode();
            int length = depth == 0 ? 1 + random.nextInt(3) : random.nextInt(3);
            for (int index = 0; index < length; index++) array.add(value(type.substring(2), depth + 1));
            return array;
        }
        switch (type) {
            case "bool": return BooleanNode.valueOf(random.nextBoolean());
            case "int8": return IntNode.valueOf((byte) number());
            case "int16": return IntNode.valueOf((short) number());
            case "uint16": return IntNode.valueOf((int) number() & 0xffff);
            case "int32": return IntNode.valueOf((int) number());
            case "uint32": return LongNode.valueOf(number() & 0xffffffffL);
            case "int64": return LongNode.valueOf(number());
            case "float64": return DoubleNode.valueOf(random.nextInt() / 64.0);
            case "uuid": return TextNode.valueOf(new Uuid(random.nextLong(), random.nextLong()).toString());
            case "string": return TextNode.valueOf(text());
            case "bytes": case "records": return BinaryNode.valueOf(bytes());
            default: return struct(structs.get(type), depth + 1);
        }
    }

    private long number() {
        switch (random.nextInt(6)) {
            case 0: return -1;
            case 1: return Long.MAX_VALUE;
            case 2: return random.nextInt(100);
            default: return random.nextLong();
        }
    }

    private String text() {
        int[] characters = TEXT.codePoints().toArray();
        StringBuilder text = new StringBuilder();
        // Now and then longer than a varint of one byte can tell.
        int length = random.nextInt(40) == 0 ? 130 : random.nextInt(10);
        for (int index = 0; index < length; index++) text.appendCodePoint(characters[random.nextInt(characters.length)]);
        return text.toString();
    }

    private byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(12)];
        random.nextBytes(bytes);
        return bytes;
    }

    /** The first and last version of a range, or null for none. */
    private static int[] range(String text) {
        if (text.equals("none")) return null;
        if (text.endsWith("+")) return new int[] {Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE};
        String[] ends = text.split("-");
        return new int[] {Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1])};
    }
}
