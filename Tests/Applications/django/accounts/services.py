"""What the views of an application call, as docs/applications.md shows it."""

from accounts.models import Person
from commands import hash_password

from django.db import transaction
from outbox_client import django as outbox


@transaction.atomic
def sign_up(email, password):
    if Person.objects.filter(email=email).exists():
        return
    person = Person.objects.create(email=email, password=hash_password(password))
    outbox.enqueue("verify-email", email, account=person.pk, valid_for=1_800_000)


@transaction.atomic
def verify(token):
    redemption = outbox.redeem("verify-email", token)
    if redemption:
        Person.objects.filter(pk=redemption.account).update(verified=True)
    return redemption.result  # "ok", "used", "expired" …; show it, don't raise


def newest_mail(person):
    return next(iter(outbox.status(account=person.pk)), None)  # .state, .advice
