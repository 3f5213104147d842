# An application in Perl that uses the outbox as docs/applications.md says, with DBI and DBD::SQLite. It prints one line of
# JSON for each command. Its migrations are SQL, because DBI has no tool for them.
use strict;
use warnings;
use DBI qw(:sql_types);
use DBD::SQLite::Constants qw(DBD_SQLITE_STRING_MODE_UNICODE_STRICT);
use Digest::SHA qw(sha256);
use JSON::PP;
use Time::HiRes qw(sleep time);

sub open_database {
    my ($file) = @_;
    my $db = DBI->connect("dbi:SQLite:dbname=$file", '', '', {
        RaiseError => 1, PrintError => 0, sqlite_string_mode => DBD_SQLITE_STRING_MODE_UNICODE_STRICT });
    $db->sqlite_busy_timeout(5000);    # milliseconds
    return $db;
}

sub sign_up {
    my ($db, $email) = @_;
    $db->begin_work;    # the next statement begins the transaction, with BEGIN IMMEDIATE
    eval { request_mail($db, $email, add_person($db, $email)); $db->commit } or do {
        my $error = $@;
        $db->rollback;
        die $error;
    };
}

sub request_mail {
    my ($db, $email, $person) = @_;
    $db->do("INSERT INTO outbox (kind, recipient, account, valid_for) VALUES ('verify-email', ?, ?, 1800000)",
        undef, $email, $person);
}

sub status {
    my ($db, $email) = @_;
    my ($person) = $db->selectrow_array('SELECT id FROM person WHERE email = ?', undef, $email);
    my $sql = 'SELECT state, advice FROM outbox_status WHERE account = ? ORDER BY requested_at DESC, id DESC LIMIT 1';
    return $db->selectrow_hashref($sql, undef, $person);
}

sub test_database {
    my ($schema) = @_;
    my $db = open_database(':memory:');
    open my $file, '<:encoding(UTF-8)', $schema or die "$schema: $!";    # the output of `outboxctl schema`
    local ($/, $db->{sqlite_allow_multiple_statements}) = (undef, 1);
    $db->do(scalar <$file>);
    return $db;
}

# Reads, thinks for 50 ms, and writes: the read is what a deferred transaction fails on.
sub add_person {
    my ($db, $email) = @_;
    $db->selectrow_array('SELECT count(*) FROM person WHERE email = ?', undef, $email);
    sleep 0.05;
    $db->do("INSERT INTO person (email, name) VALUES (?, 'Ann')", undef, $email);
    return $db->sqlite_last_insert_rowid;
}

sub repeat {
    my ($db, $count) = @_;
    my ($committed, $locked, @other) = (0, 0);
    my $newest = $db->prepare('SELECT id FROM person ORDER BY id DESC');
    for my $number (1 .. $count) {
        # What a page reads first. The query ends here, else the next transaction would fail at its beginning.
        $newest->execute;
        $newest->fetchrow_array;
        $newest->finish;
        sleep rand 0.4;
        if (eval { sign_up($db, "perl-$$-$number\@example.com"); 1 }) { $committed++ }
        elsif ($@ =~ /locked/) { $locked++ }
        else { push @other, "$@" }
    }
    return { committed => $committed, locked => $locked, other => \@other };
}

sub refusal {
    my ($db, $column, $value) = @_;
    my $insert = "INSERT INTO outbox (kind, recipient, $column) VALUES ('verify-email', 'p\@example.com', ?)";
    return eval { $db->do($insert, undef, $value); 'no error' } || $@;
}

sub count_newer {
    my ($db, $type) = @_;
    my $newer = $db->prepare('SELECT count(*) FROM outbox_status WHERE requested_at > ? AND may_arrive_twice = ?');
    $newer->bind_param(1, 1, $type);
    $newer->bind_param(2, 0, $type);
    $newer->execute;
    return ($newer->fetchrow_array)[0];
}

sub redeem {
    my ($db, $token) = @_;
    my $update = $db->prepare("UPDATE outbox_token SET presented_at = ?, presented = ?
        WHERE digest = ? AND kind = 'verify-email' RETURNING result");
    $update->bind_param(1, int(time * 1000), SQL_INTEGER);
    $update->bind_param($_, sha256($token), SQL_BLOB) for 2, 3;
    $update->execute;
    my $rows = $update->fetchall_arrayref;
    return @$rows ? $rows->[0][0] : 'unknown';
}

# SQLite's way to change a table in full: a new one, its rows, and the old one's name.
sub rebuild {
    my ($db, $direction) = @_;
    my ($columns, $kept) = $direction eq 'up'
        ? ('name TEXT NOT NULL, phone TEXT', 'id, email, name, NULL') : ('name TEXT', 'id, email, name');
    $db->do('PRAGMA foreign_keys = OFF');    # has no effect in a transaction
    $db->begin_work;
    $db->do($_) for "CREATE TABLE new_person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, $columns)",
        "INSERT INTO new_person SELECT $kept FROM person", 'DROP TABLE person', 'ALTER TABLE new_person RENAME TO person';
    $db->commit;
    return { ok => JSON::PP::true };
}

sub create {
    my ($db) = @_;
    $db->do('CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT)');
    return { ok => JSON::PP::true };
}

# What deferred transactions do here: the driver's default is the remedy, so it is turned off.
sub deferred {
    my ($db, $count) = @_;
    $db->{sqlite_use_immediate_transaction} = 0;
    return repeat($db, $count);
}

sub wrong {
    my ($db) = @_;
    return { error => refusal($db, 'expires_at', int(time) + 1800), fraction => refusal($db, 'expires_at', (time + 1800) * 1000) };
}

sub status_both_ways {
    my ($db, $email) = @_;
    my ($by_text, $by_number) = map { count_newer($db, $_) } SQL_VARCHAR, SQL_INTEGER;
    return $by_text == $by_number ? status($db, $email) : { error => "by text $by_text, by number $by_number" };
}

sub tools {
    my $db = test_database($ENV{APPS_SCHEMA});
    create($db);
    sign_up($db, 'ann@example.com');
    my $state = status($db, 'ann@example.com')->{state};
    return { ok => $state eq 'queued' ? JSON::PP::true : JSON::PP::false, note => "test database: $state" };
}

my %commands = (
    create => \&create, transactions => \&repeat, deferred => \&deferred, wrong => \&wrong, status => \&status_both_ways,
    redeem => sub { { result => redeem(@_) } }, rebuild => \&rebuild, tools => \&tools,
);
my ($command, $file, @rest) = @ARGV;
print JSON::PP->new->ascii->canonical->encode($commands{$command}->(open_database($file), @rest)), "\n";
