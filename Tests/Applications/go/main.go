// An application in Go that uses the outbox as docs/applications.md says, with database/sql and mattn/go-sqlite3. It
// prints one line of JSON for each command. Its migrations are SQL, because database/sql has no tool for them.
package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

func open(file string) (*sql.DB, error) {
	return sql.Open("sqlite3", "file:"+file+"?_txlock=immediate&_busy_timeout=5000")
}

func signUp(db *sql.DB, email string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	person, err := addPerson(tx, email)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO outbox (kind, recipient, account, valid_for) VALUES ('verify-email', ?, ?, ?)",
		email, strconv.FormatInt(person, 10), 1800000)
	if err != nil {
		return err
	}
	return tx.Commit()
}

func status(db *sql.DB, email string) (state, advice string, err error) {
	var person string
	if err = db.QueryRow("SELECT id FROM person WHERE email = ?", email).Scan(&person); err != nil {
		return
	}
	const newest = "SELECT state, advice FROM outbox_status WHERE account = ? ORDER BY requested_at DESC, id DESC LIMIT 1"
	err = db.QueryRow(newest, person).Scan(&state, &advice)
	return
}

// A file, because each connection of the pool would have a `:memory:` of its own.
func testDatabase(folder, schema string) (*sql.DB, error) {
	text, err := os.ReadFile(schema) // the output of `outboxctl schema`
	if err != nil {
		return nil, err
	}
	db, err := open(filepath.Join(folder, "test.db"))
	if err == nil {
		_, err = db.Exec(string(text))
	}
	return db, err
}

// Reads, thinks for 50 ms, and writes: the read is what a deferred transaction fails on.
func addPerson(tx *sql.Tx, email string) (int64, error) {
	var known int
	if err := tx.QueryRow("SELECT count(*) FROM person WHERE email = ?", email).Scan(&known); err != nil {
		return 0, err
	}
	time.Sleep(50 * time.Millisecond)
	result, err := tx.Exec("INSERT INTO person (email, name) VALUES (?, 'Ann')", email)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

const createPerson = "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT)"

type answer map[string]any

func repeat(db *sql.DB, text string) (answer, error) {
	count, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	committed, locked, other := 0, 0, []string{}
	for number := 0; number < count; number++ {
		err := signUp(db, fmt.Sprintf("go-%d-%d@example.com", os.Getpid(), number))
		switch {
		case err == nil:
			committed++
		case strings.Contains(err.Error(), "locked"):
			locked++
		default:
			other = append(other, err.Error())
		}
		time.Sleep(time.Duration(rand.Intn(400)) * time.Millisecond)
	}
	return answer{"committed": committed, "locked": locked, "other": other}, nil
}

func redeem(db *sql.DB, token string) (string, error) {
	digest := sha256.Sum256([]byte(token))
	tx, err := db.Begin()
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	result := "unknown"
	err = tx.QueryRow("UPDATE outbox_token SET presented_at = ?, presented = ? WHERE digest = ? AND kind = 'verify-email' "+
		"RETURNING result", time.Now().UnixMilli(), digest[:], digest[:]).Scan(&result)
	if err != nil && err != sql.ErrNoRows {
		return "", err
	}
	return result, tx.Commit()
}

// SQLite's way to change a table in full: a new one, its rows, and the old one's name. PRAGMA foreign_keys has no effect
// in a transaction, so both need the same connection of the pool.
func rebuild(db *sql.DB, direction string) (answer, error) {
	columns, kept := "name TEXT", "id, email, name"
	if direction == "up" {
		columns, kept = "name TEXT NOT NULL, phone TEXT", "id, email, name, NULL"
	}
	connection, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if _, err := connection.ExecContext(context.Background(), "PRAGMA foreign_keys = OFF"); err != nil {
		return nil, err
	}
	tx, err := connection.BeginTx(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`CREATE TABLE new_person (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, ` + columns + `);
		INSERT INTO new_person SELECT ` + kept + ` FROM person;
		DROP TABLE person;
		ALTER TABLE new_person RENAME TO person`); err != nil {
		return nil, err
	}
	return answer{"ok": true}, tx.Commit()
}

func statusBothWays(db *sql.DB, email string) (answer, error) {
	const newer = "SELECT count(*) FROM outbox_status WHERE requested_at > ? AND may_arrive_twice = ?"
	var byText, byNumber int
	if err := db.QueryRow(newer, "1", "0").Scan(&byText); err != nil {
		return nil, err
	}
	if err := db.QueryRow(newer, 1, 0).Scan(&byNumber); err != nil {
		return nil, err
	}
	if byText != byNumber {
		return answer{"error": fmt.Sprintf("by text %d, by number %d", byText, byNumber)}, nil
	}
	state, advice, err := status(db, email)
	return answer{"state": state, "advice": advice}, err
}

func tools() (answer, error) {
	folder, err := os.MkdirTemp("", "outboxd-go.")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	db, err := testDatabase(folder, os.Getenv("APPS_SCHEMA"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if _, err := db.Exec(createPerson); err != nil {
		return nil, err
	}
	if err := signUp(db, "ann@example.com"); err != nil {
		return nil, err
	}
	state, _, err := status(db, "ann@example.com")
	return answer{"ok": state == "queued", "note": "test database: " + state}, err
}

func do(command, file string, rest []string) (answer, error) {
	db, err := open(file)
	if command == "deferred" { // The default of the driver.
		db, err = sql.Open("sqlite3", "file:"+file)
	}
	if err != nil {
		return nil, err
	}
	defer db.Close()
	switch command {
	case "create":
		_, err := db.Exec(createPerson)
		return answer{"ok": true}, err
	case "transactions", "deferred":
		return repeat(db, rest[0])
	case "wrong":
		_, err := db.Exec("INSERT INTO outbox (kind, recipient, expires_at) VALUES ('verify-email', 'g@example.com', ?)",
			time.Now().Unix()+1800)
		return answer{"error": fmt.Sprint(err)}, nil
	case "status":
		return statusBothWays(db, rest[0])
	case "redeem":
		result, err := redeem(db, rest[0])
		return answer{"result": result}, err
	case "rebuild":
		return rebuild(db, rest[0])
	case "tools":
		return tools()
	}
	return nil, fmt.Errorf("unknown command %s", command)
}

func main() {
	result, err := do(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
