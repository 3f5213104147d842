"""An application with SQLAlchemy, as docs/applications.md shows it."""

import os
import pathlib
import sys

sys.path[:0] = [
    os.environ["APPS_DEPS"],
    str(pathlib.Path(__file__).parents[1]),
    str(pathlib.Path(__file__).parents[3] / "clients/python"),
]

from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from commands import work
from outbox_client import sqlalchemy as outbox


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    verified: Mapped[bool] = mapped_column(default=False)


@event.listens_for(Person, "before_insert")
def before_insert(*_):
    work()


def make_engine(url):
    return outbox.begin_immediate(create_engine(url, connect_args={"timeout": 5}))


def sign_up(engine, email, password_hash):
    with Session(engine) as session, session.begin():
        if session.scalar(select(Person).where(Person.email == email)):
            return
        person = Person(email=email, password=password_hash)
        session.add(person)
        session.flush()
        outbox.enqueue(session, "verify-email", email, account=person.id, valid_for=1_800_000)


def newest_mail(session, person):
    view = outbox.outbox_status
    return session.execute(
        select(view.c.state, view.c.advice)
        .where(view.c.account == str(person.id))
        .order_by(view.c.requested_at.desc(), view.c.id.desc())
    ).first()


def verify(engine, token):
    with Session(engine) as session, session.begin():
        redemption = outbox.redeem(session, "verify-email", token)
        if redemption:
            session.get_one(Person, int(redemption.account)).verified = True
    return redemption.result.value


def confirm(session, code, keys, account):
    with outbox.redeem_code(session, "verify-email", code, keys, account=account) as redemption:
        if redemption:
            session.get_one(Person, account).verified = True
    return redemption.result


def test_database():
    engine = make_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        outbox.create_outbox(connection)
    return engine
