// Runs Debezium's SQL Server connector in this process and prints one line a record:
//
//     {"topic":"...","headers":{...},"key":{...},"value":{...}}
//
// usage: java -cp 'lib/*' Sample.java HOST PORT DATABASE USER TABLES [name=value ..]     password in SAMPLE_PASSWORD
//
// TABLES are "schema.table", parted by commas. Further arguments are the connector's own properties; two are ours: key.schemas and
// value.schemas (true, false), whether JsonConverter writes the schemas. Offsets and schema history live in memory. Ends when standard
// input does; exit status 1 and the cause on standard error if the engine failed. Only records of tables are printed: no schema changes.

import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.Header;
import io.debezium.engine.format.Json;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

public class Sample {
    private static final int STOP_SECONDS = 30;
    private static final String PREFIX = "server";

    private static Properties properties(String[] arguments) {
        Properties ret = new Properties();
        ret.setProperty("name", PREFIX);
        ret.setProperty("connector.class", "io.debezium.connector.sqlserver.SqlServerConnector");
        ret.setProperty("topic.prefix", PREFIX);
        ret.setProperty("database.hostname", arguments[0]);
        ret.setProperty("database.port", arguments[1]);
        ret.setProperty("database.names", arguments[2]);
        ret.setProperty("database.user", arguments[3]);
        ret.setProperty("database.password", System.getenv("SAMPLE_PASSWORD"));
        ret.setProperty("database.encrypt", "false");
        ret.setProperty("table.include.list", arguments[4]);
        ret.setProperty("snapshot.isolation.mode", "snapshot");
        ret.setProperty("poll.interval.ms", "100");
        ret.setProperty("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        ret.setProperty("offset.flush.interval.ms", "1000");
        ret.setProperty("schema.history.internal", "io.debezium.relational.history.MemorySchemaHistory");
        ret.setProperty("key.converter.schemas.enable", "false");
        ret.setProperty("value.converter.schemas.enable", "false");
        ret.setProperty("header.converter.schemas.enable", "false");
        for (int i = 5; i < arguments.length; i++) {
            int equals = arguments[i].indexOf('=');
            String name = arguments[i].substring(0, equals), value = arguments[i].substring(equals + 1);
            if (name.equals("key.schemas") || name.equals("value.schemas"))
                name = name.replace(".schemas", ".converter.schemas.enable");
            ret.setProperty(name, value);
        }
        return ret;
    }

    /** What the connector says beside key and value: the other key, on the two records of an update that changes the key. */
    private static String headers(ChangeEvent<String, String> record) {
        StringBuilder ret = new StringBuilder();
        for (Header<?> header : record.headers())
            if (!header.getKey().startsWith("__debezium.context."))
                ret.append(ret.length() == 0 ? "\"headers\":{" : ",").append("\"" + header.getKey() + "\":" + header.getValue());
        return ret.length() == 0 ? "" : ret + "},";
    }

    private static void print(PrintStream out, List<ChangeEvent<String, String>> records) {
        for (ChangeEvent<String, String> record : records)
            if (record.destination().startsWith(PREFIX + "."))
                out.println("{\"topic\":\"" + record.destination() + "\"," + headers(record) + "\"key\":" + record.key() + ",\"value\":"
                    + record.value() + "}");
        out.flush();
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length < 5 || System.getenv("SAMPLE_PASSWORD") == null) {
            System.err.println("usage: Sample HOST PORT DATABASE USER TABLES [name=value ..], password in SAMPLE_PASSWORD");
            System.exit(2);
        }
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class, Json.class, Json.class)
            .using(properties(arguments))
            .notifying((records, committer) -> {
                print(out, records);
                for (ChangeEvent<String, String> record : records)
                    committer.markProcessed(record);
                committer.markBatchFinished();
            })
            .using((success, message, error) -> {
                if (!success) {
                    failure.set(error == null ? new IllegalStateException(message) : error);
                    failure.get().printStackTrace();
                    System.exit(1);
                }
            })
            .build();
        ExecutorService executor = Executors.newSingleThreadExecutor();
        executor.execute(engine);
        while (System.in.read() >= 0)
            ;
        engine.close();
        executor.shutdown();
        executor.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
        System.exit(failure.get() == null ? 0 : 1);
    }
}
