"""A router as docs of Django show one: an app of its own database."""


class Mails:
    def db_for_read(self, model, **hints):
        return "mails" if model._meta.app_label == "outbox" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (app_label == "outbox") == (db == "mails")
