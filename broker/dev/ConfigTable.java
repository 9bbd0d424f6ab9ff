import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.ConfigKey;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.*;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Prints the facts of Kafka's configuration definitions, one property a line, for broker/src/config/definitions.tsv.
 * Run it on the class path of the Kafka release to be matched:
 *
 *   java -cp "$KAFKA_LIBS/*" broker/dev/ConfigTable.java > broker/src/config/definitions.tsv
 *
 * The lines stand in the order of definition, which is the order Kafka checks values in. Columns: scope, name,
 * type, default ("-" for required, "null", or "=" and the value), importance, validator (class and its own
 * description), update mode, flags (i: internal, d: only settable on a running broker, s: when changed
 * there, only behind a listener's name), broker-side names that stand for the property, in order of precedence. No documentation: sentences are ours to write.
 */
public class ConfigTable {
    public static void main(String[] args) {
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        print("broker", kafka.server.KafkaConfig.configDef().configKeys(), modes);
        print("broker", DynamicConfig.Broker.configKeys(), modes);
        print("topic", LogConfig.configKeys(), Map.of());
        print("group", GroupConfig.CONFIG_DEF.configKeys(), Map.of());
        print("client-metrics", ClientMetricsConfigs.configDef().configKeys(), Map.of());
        print("client-quota", QuotaConfig.scramMechanismsPlusUserAndClientQuotaConfigs().configKeys(), Map.of());
        print("ip-quota", QuotaConfig.ipConfigs().configKeys(), Map.of());
    }

    private static final Set<String> SEEN = new HashSet<>();

    private static void print(String scope, Map<String, ConfigKey> keys, Map<String, String> modes) {
        for (ConfigKey key : keys.values()) {
            if (!SEEN.add(scope + key.name)) continue;
            boolean none = key.defaultValue == ConfigDef.NO_DEFAULT_VALUE || key.defaultValue == null;
            String value = none ? (key.defaultValue == null ? "null" : "-") : "=" + ConfigDef.convertToString(key.defaultValue, key.type);
            String validator = key.validator == null ? "" : describe(key.validator);
            System.out.println(String.join("\t", scope, key.name, key.type.toString(), clean(value), key.importance.toString(),
                clean(validator), modes.getOrDefault(key.name, "read-only"), flags(scope, key), synonyms(scope, key.name)));
        }
    }

    private static String flags(String scope, ConfigKey key) {
        boolean dynamicOnly = scope.equals("broker") && !kafka.server.KafkaConfig.configDef().configKeys().containsKey(key.name);
        return (key.internalConfig ? "i" : "") + (dynamicOnly ? "d" : "")
            + (scope.equals("broker") && DynamicBrokerConfig.DYNAMIC_SECURITY_CONFIGS.contains(key.name) ? "s" : "");
    }

    private static String describe(ConfigDef.Validator validator) {
        String text = validator.getClass().getSimpleName() + " " + validator;
        if (validator instanceof ConfigDef.ValidList) {
            try {
                for (String name : List.of("isEmptyAllowed", "isNullAllowed")) {
                    var field = ConfigDef.ValidList.class.getDeclaredField(name);
                    field.setAccessible(true);
                    if (field.getBoolean(validator)) text += " " + name;
                }
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
        return text;
    }

    private static String synonyms(String scope, String name) {
        if (scope.equals("topic")) {
            List<String> names = new ArrayList<>();
            for (ConfigSynonym synonym : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(name, List.of())) names.add(synonym.name());
            return String.join(",", names);
        }
        if (scope.equals("broker")) {
            List<String> names = DynamicBrokerConfig.brokerConfigSynonyms(name, true);
            return names.size() == 1 ? "" : String.join(",", names);
        }
        if (scope.equals("group")) return GroupConfig.brokerSynonym(name).orElse("");
        return "";
    }

    private static String clean(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
    }
}
