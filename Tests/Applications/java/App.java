// An application in Java that uses the outbox as docs/applications.md says, with JDBC and Xerial's driver. It prints one
// line of JSON for each command. Its migrations are SQL, because JDBC has no tool for them.
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

public final class App {
    static final String PERSON = "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT)";

    static Connection open(String file) throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:" + file + "?busy_timeout=5000");
    }

    static void signUp(Connection db, String email) throws Exception {
        try (Statement statement = db.createStatement()) {
            statement.execute("BEGIN IMMEDIATE"); // autocommit stays on
            try {
                requestMail(db, email, addPerson(db, email));
                statement.execute("COMMIT");
            } catch (Exception error) {
                statement.execute("ROLLBACK");
                throw error;
            }
        }
    }

    static final String REQUEST = "INSERT INTO outbox (kind, recipient, account, valid_for) "
        + "VALUES ('verify-email', ?, ?, 1800000)";

    static void requestMail(Connection db, String email, String person) throws SQLException {
        try (PreparedStatement insert = db.prepareStatement(REQUEST)) {
            insert.setString(1, email);
            insert.setString(2, person);
            insert.executeUpdate();
        }
    }

    static final String STATUS =
        "SELECT state, advice FROM outbox_status WHERE account = ? ORDER BY requested_at DESC, id DESC LIMIT 1";

    static void loadOutbox(Connection db, Path schema) throws Exception { // the output of `outboxctl schema`
        try (Statement statement = db.createStatement()) {
            statement.executeUpdate(Files.readString(schema)); // runs all statements of a text
        }
    }

    // Reads, thinks for 50 ms, and writes: the read is what a deferred transaction fails on.
    static String addPerson(Connection db, String email) throws Exception {
        try (PreparedStatement known = db.prepareStatement("SELECT count(*) FROM person WHERE email = ?")) {
            known.setString(1, email);
            known.executeQuery().close();
        }
        Thread.sleep(50);
        try (PreparedStatement insert = db.prepareStatement("INSERT INTO person (email, name) VALUES (?, 'Ann')");
                Statement identity = db.createStatement()) {
            insert.setString(1, email);
            insert.executeUpdate();
            try (ResultSet row = identity.executeQuery("SELECT last_insert_rowid()")) {
                return row.getString(1);
            }
        }
    }

    // JDBC's own way, which defers the lock.
    static void deferredSignUp(Connection db, String email) throws Exception {
        db.setAutoCommit(false);
        try {
            requestMail(db, email, addPerson(db, email));
            db.commit();
        } catch (Exception error) {
            db.rollback();
            throw error;
        } finally {
            db.setAutoCommit(true);
        }
    }

    static String repeat(Connection db, int count, boolean isDeferred) throws Exception {
        int committed = 0;
        int locked = 0;
        List<String> other = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            // What a page reads first. The query is closed, else the next transaction would fail at its beginning.
            try (Statement newest = db.createStatement();
                    ResultSet row = newest.executeQuery("SELECT id FROM person ORDER BY id DESC")) {
                row.next();
            }
            Thread.sleep((long) (Math.random() * 400));
            String email = "java-" + ProcessHandle.current().pid() + "-" + number + "@example.com";
            try {
                if (isDeferred) {
                    deferredSignUp(db, email);
                } else {
                    signUp(db, email);
                }
                committed++;
            } catch (SQLException error) {
                if (error.getMessage().contains("locked")) {
                    locked++;
                } else {
                    other.add(error.getMessage());
                }
            }
        }
        String errors = other.stream().map(App::quoted).collect(Collectors.joining(", "));
        return "{\"committed\": " + committed + ", \"locked\": " + locked + ", \"other\": [" + errors + "]}";
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }

    static String refusal(Connection db, String column, Object value) {
        try (PreparedStatement insert = db.prepareStatement(
                "INSERT INTO outbox (kind, recipient, " + column + ") VALUES ('verify-email', 'j@example.com', ?)")) {
            insert.setObject(1, value);
            insert.executeUpdate();
            return "no error";
        } catch (SQLException error) {
            return error.getMessage();
        }
    }

    static int count(Connection db, Object since, Object twice) throws SQLException {
        try (PreparedStatement newer = db.prepareStatement(
                "SELECT count(*) FROM outbox_status WHERE requested_at > ? AND may_arrive_twice = ?")) {
            newer.setObject(1, since);
            newer.setObject(2, twice);
            try (ResultSet row = newer.executeQuery()) {
                return row.getInt(1);
            }
        }
    }

    static String[] status(Connection db, String email) throws SQLException {
        try (PreparedStatement person = db.prepareStatement("SELECT id FROM person WHERE email = ?");
                PreparedStatement status = db.prepareStatement(STATUS)) {
            person.setString(1, email);
            try (ResultSet row = person.executeQuery()) {
                status.setString(1, row.getString(1));
            }
            try (ResultSet row = status.executeQuery()) {
                return row.next() ? new String[] {row.getString("state"), row.getString("advice")} : new String[] {"", ""};
            }
        }
    }

    static String redeem(Connection db, String token) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
        try (PreparedStatement update = db.prepareStatement("UPDATE outbox_token SET presented_at = ?, presented = ? "
                + "WHERE digest = ? AND kind = 'verify-email' RETURNING result")) {
            update.setLong(1, System.currentTimeMillis());
            update.setBytes(2, digest);
            update.setBytes(3, digest);
            try (ResultSet row = update.executeQuery()) {
                return row.next() ? row.getString(1) : "unknown";
            }
        }
    }

    // SQLite's way to change a table in full: a new one, its rows, and the old one's name.
    static void rebuild(Connection db, boolean isUp) throws Exception {
        String columns = isUp ? "name TEXT NOT NULL, phone TEXT" : "name TEXT";
        String kept = isUp ? "id, email, name, NULL" : "id, email, name";
        try (Statement statement = db.createStatement()) {
            statement.execute("PRAGMA foreign_keys = OFF"); // has no effect in a transaction
            statement.executeUpdate("BEGIN IMMEDIATE;"
                + "CREATE TABLE new_person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, " + columns + ");"
                + "INSERT INTO new_person SELECT " + kept + " FROM person;"
                + "DROP TABLE person;"
                + "ALTER TABLE new_person RENAME TO person;"
                + "COMMIT");
        }
    }

    // What the page warns of: a connection with autocommit off and transaction_mode=IMMEDIATE that has just committed.
    static boolean keepsLock(String file) throws SQLException {
        try (Connection idle = DriverManager.getConnection("jdbc:sqlite:" + file + "?transaction_mode=IMMEDIATE");
                Connection other = DriverManager.getConnection("jdbc:sqlite:" + file + "?busy_timeout=500");
                Statement write = idle.createStatement();
                Statement begin = other.createStatement()) {
            idle.setAutoCommit(false);
            write.executeUpdate("UPDATE outbox SET id = id WHERE 0");
            idle.commit();
            try {
                begin.execute("BEGIN IMMEDIATE");
                begin.execute("ROLLBACK");
                return false;
            } catch (SQLException error) {
                return true;
            }
        }
    }

    static String tools(String file) throws Exception {
        try (Connection db = open(":memory:"); Statement statement = db.createStatement()) {
            loadOutbox(db, Path.of(System.getenv("APPS_SCHEMA")));
            statement.execute(PERSON);
            signUp(db, "ann@example.com");
            String state = status(db, "ann@example.com")[0];
            boolean keeps = keepsLock(file);
            String note = "test database: " + state + "; transaction_mode=IMMEDIATE keeps the lock: " + keeps;
            return "{\"ok\": " + (state.equals("queued") && keeps) + ", \"note\": " + quoted(note) + "}";
        }
    }

    static String result(Connection db, String command, String file, String[] rest) throws Exception {
        switch (command) {
            case "create":
                try (Statement statement = db.createStatement()) {
                    statement.execute(PERSON);
                }
                return "{\"ok\": true}";
            case "transactions":
            case "deferred":
                return repeat(db, Integer.parseInt(rest[0]), command.equals("deferred"));
            case "wrong":
                return "{\"error\": " + quoted(refusal(db, "expires_at", Instant.now().getEpochSecond() + 1800))
                    + ", \"instant\": " + quoted(refusal(db, "expires_at", Instant.now().plusSeconds(1800))) + "}";
            case "status":
                int byText = count(db, "1", "0");
                int byNumber = count(db, 1, 0);
                if (byText != byNumber) {
                    return "{\"error\": " + quoted("by text " + byText + ", by number " + byNumber) + "}";
                }
                String[] found = status(db, rest[0]);
                return "{\"state\": " + quoted(found[0]) + ", \"advice\": " + quoted(found[1]) + "}";
            case "redeem":
                return "{\"result\": " + quoted(redeem(db, rest[0])) + "}";
            case "rebuild":
                rebuild(db, rest[0].equals("up"));
                return "{\"ok\": true}";
            case "tools":
                return tools(file);
            default:
                throw new IllegalArgumentException(command);
        }
    }

    public static void main(String[] words) throws Exception {
        try (Connection db = open(words[1])) {
            System.out.println(result(db, words[0], words[1], Arrays.copyOfRange(words, 2, words.length)));
        }
    }
}
