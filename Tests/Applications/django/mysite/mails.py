# mysite/mails.py
from django.contrib.auth import get_user_model
from django.db import transaction
from outbox_client import django as outbox

@transaction.atomic
def sign_up(email):
    user = get_user_model().objects.create_user(email, email)
    outbox.enqueue("verify-email", email, account=user.pk, valid_for=1_800_000)
