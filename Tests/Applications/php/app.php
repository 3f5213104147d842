<?php
// An application in PHP that uses the outbox as docs/applications.md says, with PDO and no framework. It prints one line of
// JSON for each command. Its migrations are SQL, because PDO has no tool for them.
declare(strict_types=1);

error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED); // Doctrine's
require __DIR__ . '/doctrine.php';

const PERSON = 'CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT)';

function open(string $file): PDO
{
    return new PDO("sqlite:$file", null, null, [PDO::ATTR_TIMEOUT => 5]); // seconds
}

function signUp(PDO $db, string $email): void
{
    $db->exec('BEGIN IMMEDIATE'); // not beginTransaction(), which defers the lock
    try {
        requestMail($db, $email, addPerson($db, $email));
        $db->exec('COMMIT');
    } catch (Throwable $error) {
        $db->exec('ROLLBACK');
        throw $error;
    }
}

function requestMail(PDO $db, string $email, string $person): void
{
    $db->prepare("INSERT INTO outbox (kind, recipient, account, valid_for) VALUES ('verify-email', ?, ?, 1800000)")
        ->execute([$email, $person]);
}

const STATUS = 'SELECT state, advice FROM outbox_status WHERE account = ? ORDER BY requested_at DESC, id DESC LIMIT 1';

function status(PDO $db, string $email): array|false
{
    $person = $db->prepare('SELECT id FROM person WHERE email = ?');
    $person->execute([$email]);
    $status = $db->prepare(STATUS);
    $status->execute([$person->fetchColumn()]);
    return $status->fetch(PDO::FETCH_ASSOC);
}

function testDatabase(string $schema): PDO
{
    $db = open(':memory:');
    $db->exec(file_get_contents($schema)); // the output of `outboxctl schema`
    return $db;
}

// Reads, thinks for 50 ms, and writes: the read is what a deferred transaction fails on.
function addPerson(PDO $db, string $email): string
{
    $known = $db->prepare('SELECT count(*) FROM person WHERE email = ?');
    $known->execute([$email]);
    $known->fetchAll();
    usleep(50_000);
    $db->prepare("INSERT INTO person (email, name) VALUES (?, 'Ann')")->execute([$email]);
    return $db->lastInsertId();
}

function deferredSignUp(PDO $db, string $email): void
{
    $db->beginTransaction();
    try {
        requestMail($db, $email, addPerson($db, $email));
        $db->commit();
    } catch (Throwable $error) {
        $db->rollBack();
        throw $error;
    }
}

function repeat(PDO $db, int $count, callable $work): array
{
    $result = ['committed' => 0, 'locked' => 0, 'other' => []];
    $newest = $db->prepare('SELECT id FROM person ORDER BY id DESC');
    for ($number = 0; $number < $count; $number++) {
        // What a page reads first. The query ends here, else the next transaction would fail at its beginning.
        $newest->execute();
        $newest->fetchColumn();
        $newest->closeCursor();
        usleep(random_int(0, 400_000));
        try {
            $work($db, 'php-' . getmypid() . "-$number@example.com");
            $result['committed']++;
        } catch (PDOException $error) {
            if (str_contains($error->getMessage(), 'locked')) {
                $result['locked']++;
            } else {
                $result['other'][] = $error->getMessage();
            }
        }
    }
    return $result;
}

function refusal(PDO $db, string $column, mixed $value): string
{
    try {
        $db->prepare("INSERT INTO outbox (kind, recipient, $column) VALUES ('verify-email', 'p@example.com', ?)")
            ->execute([$value]);
        return 'no error';
    } catch (PDOException $error) {
        return $error->getMessage();
    }
}

function countNewer(PDO $db, int $type): int
{
    $newer = $db->prepare('SELECT count(*) FROM outbox_status WHERE requested_at > ? AND may_arrive_twice = ?');
    $newer->bindValue(1, 1, $type);
    $newer->bindValue(2, 0, $type);
    $newer->execute();
    return $newer->fetchColumn();
}

function redeem(PDO $db, string $token): string
{
    $digest = hash('sha256', $token, true);
    $update = $db->prepare("UPDATE outbox_token SET presented_at = ?, presented = ?
        WHERE digest = ? AND kind = 'verify-email' RETURNING result");
    $update->bindValue(1, (int) (microtime(true) * 1000), PDO::PARAM_INT);
    $update->bindValue(2, $digest, PDO::PARAM_LOB);
    $update->bindValue(3, $digest, PDO::PARAM_LOB);
    $update->execute();
    return $update->fetchAll(PDO::FETCH_COLUMN)[0] ?? 'unknown';
}

// SQLite's way to change a table in full: a new one, its rows, and the old one's name.
function rebuild(PDO $db, string $direction): array
{
    [$columns, $kept] = $direction === 'up'
        ? ['name TEXT NOT NULL, phone TEXT', 'id, email, name, NULL'] : ['name TEXT', 'id, email, name'];
    $db->exec('PRAGMA foreign_keys = OFF'); // has no effect in a transaction
    $db->exec("BEGIN IMMEDIATE;
        CREATE TABLE new_person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, $columns);
        INSERT INTO new_person SELECT $kept FROM person;
        DROP TABLE person;
        ALTER TABLE new_person RENAME TO person;
        COMMIT");
    return ['ok' => true];
}

function tools(string $file): array
{
    $db = testDatabase(getenv('APPS_SCHEMA'));
    $db->exec(PERSON);
    signUp($db, 'ann@example.com');
    $state = status($db, 'ann@example.com')['state'];
    [$unfiltered, $filtered] = dropped($file);
    return ['ok' => $state === 'queued' && in_array('outbox', $unfiltered, true) && $filtered === ['person'],
        'note' => "test database: $state; Doctrine drops " . count($unfiltered) . ' tables, filtered ' . implode(', ', $filtered)];
}

[, $command, $file] = $argv;
$db = open($file);
$result = match ($command) {
    'create' => ['ok' => $db->exec(PERSON) === 0],
    'transactions' => repeat($db, (int) $argv[3], 'signUp'),
    'deferred' => repeat($db, (int) $argv[3], 'deferredSignUp'),
    'wrong' => ['error' => refusal($db, 'expires_at', time() + 1800), 'false' => refusal($db, 'account', false)],
    'status' => countNewer($db, PDO::PARAM_STR) === countNewer($db, PDO::PARAM_INT)
        ? status($db, $argv[3]) : ['error' => 'text and numbers find different rows'],
    'redeem' => ['result' => redeem($db, $argv[3])],
    'rebuild' => rebuild($db, $argv[3]),
    'tools' => tools($file),
};
echo json_encode($result), "\n";
