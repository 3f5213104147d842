// An application in Node that uses the outbox as docs/applications.md says, with node:sqlite and no framework. It prints
// one line of JSON for each command. Its migrations are SQL, because node:sqlite has no tool for them.
const { DatabaseSync } = require("node:sqlite");
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");

const PERSON = "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT)";

const pause = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

function open(file) {
  return new DatabaseSync(file, { timeout: 5000 }); // milliseconds; by default nothing waits for a lock
}

function signUp(db, email) {
  db.exec("BEGIN IMMEDIATE"); // not BEGIN, which defers the lock
  try {
    requestMail(db, email, addPerson(db, email));
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function requestMail(db, email, person) {
  db.prepare("INSERT INTO outbox (kind, recipient, account, valid_for) VALUES ('verify-email', ?, ?, 1800000)")
    .run(email, String(person));
}

const STATUS = "SELECT state, advice FROM outbox_status WHERE account = ? ORDER BY requested_at DESC, id DESC LIMIT 1";

function status(db, email) {
  const { id } = db.prepare("SELECT id FROM person WHERE email = ?").get(email);
  return db.prepare(STATUS).get(String(id));
}

function testDatabase(schema) {
  const db = new DatabaseSync(":memory:");
  db.exec(readFileSync(schema, "utf8")); // the output of `outboxctl schema`
  return db;
}

// Reads, thinks for 50 ms, and writes: the read is what a deferred transaction fails on.
function addPerson(db, email) {
  db.prepare("SELECT count(*) FROM person WHERE email = ?").get(email);
  pause(50);
  return db.prepare("INSERT INTO person (email, name) VALUES (?, 'Ann')").run(email).lastInsertRowid;
}

function deferredSignUp(db, email) {
  db.exec("BEGIN");
  try {
    requestMail(db, email, addPerson(db, email));
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function repeat(db, count, work) {
  const result = { committed: 0, locked: 0, other: [] };
  for (let number = 0; number < count; number++) {
    try {
      work(db, `node-${process.pid}-${number}@example.com`);
      result.committed++;
    } catch (error) {
      if (/locked/.test(error.message)) result.locked++;
      else result.other.push(error.message);
    }
    pause(Math.random() * 400);
  }
  return result;
}

function redeem(db, token) {
  const digest = createHash("sha256").update(token).digest();
  const row = db.prepare("UPDATE outbox_token SET presented_at = ?, presented = ? " +
    "WHERE digest = ? AND kind = 'verify-email' RETURNING result").get(Date.now(), digest, digest);
  return row ? row.result : "unknown";
}

function refusal(work) {
  try {
    work();
    return "no error";
  } catch (error) {
    return error.message;
  }
}

const insert = (db, column, value) =>
  refusal(() => db.prepare(`INSERT INTO outbox (kind, recipient, ${column}) VALUES ('verify-email', 'n@example.com', ?)`)
    .run(value));

// SQLite's way to change a table in full: a new one, its rows, and the old one's name.
function rebuild(db, direction) {
  const [columns, kept] = direction === "up"
    ? ["name TEXT NOT NULL, phone TEXT", "id, email, name, NULL"] : ["name TEXT", "id, email, name"];
  db.exec("PRAGMA foreign_keys = OFF"); // node:sqlite turns them on; it has no effect in a transaction
  db.exec(`BEGIN IMMEDIATE;
    CREATE TABLE new_person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, ${columns});
    INSERT INTO new_person SELECT ${kept} FROM person;
    DROP TABLE person;
    ALTER TABLE new_person RENAME TO person;
    COMMIT`);
  return { ok: true };
}

const commands = {
  create: (db) => {
    db.exec(PERSON);
    return { ok: true };
  },
  transactions: (db, count) => repeat(db, Number(count), signUp),
  deferred: (db, count) => repeat(db, Number(count), deferredSignUp),
  wrong: (db) => ({
    error: insert(db, "expires_at", Math.floor(Date.now() / 1000) + 1800),
    number: insert(db, "account", 17),
  }),
  status: (db, email) => {
    const newer = db.prepare("SELECT count(*) AS count FROM outbox_status WHERE requested_at > ? AND may_arrive_twice = ?");
    const counts = [newer.get("1", "0").count, newer.get(1, 0).count];
    return counts[0] === counts[1] ? status(db, email) : { error: `by text ${counts[0]}, by number ${counts[1]}` };
  },
  redeem: (db, token) => ({ result: redeem(db, token) }),
  rebuild,
  tools: () => {
    const db = testDatabase(process.env.APPS_SCHEMA);
    db.exec(PERSON);
    signUp(db, "ann@example.com");
    const { state } = status(db, "ann@example.com");
    return { ok: state === "queued", note: `test database: ${state}` };
  },
};

const [command, file, ...rest] = process.argv.slice(2);
const db = open(file);
console.log(JSON.stringify(commands[command](db, ...rest)));
