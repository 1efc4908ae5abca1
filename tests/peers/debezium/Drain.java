// Debezium's MariaDB connector in this process: reads COUNT changes of one table, writes them as JSON lines to FILE or nowhere, and says what it cost.
//
// usage: java -cp 'lib/*' Drain.java HOST PORT USER DATABASE TABLE COUNT FOLDER [FILE]     password in PEER_PASSWORD
//
// Without offsets in FOLDER it begins at the end of the log, with the schema only; else where the run before it ended. Prints one line:
// {"rows":..,"cpu_s":..,"wall_s":..,"peak_mib":..}: processor and wall time from the engine's start to the last of the COUNT changes,
// peak resident memory of the process. Exit status 1 and the cause on standard error if the engine failed.

import com.sun.management.OperatingSystemMXBean;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

public class Drain {
    private static final int STOP_SECONDS = 30;
    private static final String PREFIX = "server";

    private static Properties properties(String[] arguments) {
        Properties ret = new Properties();
        ret.setProperty("name", PREFIX);
        ret.setProperty("connector.class", "io.debezium.connector.mariadb.MariaDbConnector");
        ret.setProperty("topic.prefix", PREFIX);
        ret.setProperty("database.hostname", arguments[0]);
        ret.setProperty("database.port", arguments[1]);
        ret.setProperty("database.user", arguments[2]);
        ret.setProperty("database.password", System.getenv("PEER_PASSWORD"));
        ret.setProperty("database.server.id", "5401");
        ret.setProperty("database.ssl.mode", "disable");
        ret.setProperty("database.include.list", arguments[3]);
        ret.setProperty("snapshot.mode", "no_data");
        ret.setProperty("max.batch.size", "8192");
        ret.setProperty("max.queue.size", "32768");
        ret.setProperty("offset.storage", "org.apache.kafka.connect.storage.FileOffsetBackingStore");
        ret.setProperty("offset.storage.file.filename", arguments[6] + "/offsets");
        ret.setProperty("offset.flush.interval.ms", "1000");
        ret.setProperty("schema.history.internal", "io.debezium.storage.file.history.FileSchemaHistory");
        ret.setProperty("schema.history.internal.file.filename", arguments[6] + "/history");
        ret.setProperty("schema.history.internal.store.only.captured.databases.ddl", "true");
        ret.setProperty("key.converter.schemas.enable", "false");
        ret.setProperty("value.converter.schemas.enable", "false");
        return ret;
    }

    private static double cpuSeconds() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    private static double peakMib() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status")))
            if (line.startsWith("VmHWM:"))
                return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024.0;
        return 0;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length < 7 || System.getenv("PEER_PASSWORD") == null) {
            System.err.println("usage: Drain HOST PORT USER DATABASE TABLE COUNT FOLDER [FILE], password in PEER_PASSWORD");
            System.exit(2);
        }
        String topic = PREFIX + "." + arguments[3] + "." + arguments[4];
        CountDownLatch left = new CountDownLatch(Integer.parseInt(arguments[5]));
        OutputStream file = arguments.length > 7 ? Files.newOutputStream(Path.of(arguments[7])) : OutputStream.nullOutputStream();
        PrintStream out = new PrintStream(new java.io.BufferedOutputStream(file, 1 << 20), false, StandardCharsets.UTF_8);
        DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class)
            .using(properties(arguments))
            .notifying((records, committer) -> {
                for (ChangeEvent<String, String> record : records) {
                    if (record.destination().equals(topic)) {
                        out.println(record.value());
                        left.countDown();
                    }
                    committer.markProcessed(record);
                }
                committer.markBatchFinished();
            })
            .using((success, message, error) -> {
                if (!success) {
                    System.err.println(message);
                    if (error != null)
                        error.printStackTrace();
                    System.exit(1);
                }
            })
            .build();
        double cpu = cpuSeconds();
        long began = System.nanoTime();
        ExecutorService executor = Executors.newSingleThreadExecutor();
        executor.execute(engine);
        left.await();
        out.flush();
        String cost = String.format(Locale.ROOT, "{\"rows\":%s,\"cpu_s\":%.3f,\"wall_s\":%.3f,\"peak_mib\":%.1f}", arguments[5], cpuSeconds() - cpu,
            (System.nanoTime() - began) / 1e9, peakMib());
        engine.close();
        executor.shutdown();
        executor.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
        System.out.println(cost);
        System.exit(0);
    }
}
