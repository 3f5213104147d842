// A function for the one call of SQLite's that is variadic, which Swift can't make. Nothing else: GRDBSQLite has the rest.

#ifndef OUTBOXD_CSQLITE_SHIM_H
#define OUTBOXD_CSQLITE_SHIM_H

#include <sqlite3.h>

// SQLite's result code: SQLITE_MISUSE after the process's first use of SQLite (https://sqlite.org/c3ref/config.html).
static inline int csqlite_disable_memory_statistics(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

#endif
