"""The application's own table. A save reads before it writes, and takes a while, as an application's own rules do."""

from commands import work

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    email = models.EmailField(unique=True)

    class Meta:
        db_table = "person"

    def save(self, *arguments, **options):
        Person.objects.filter(username=self.username).exists()
        work()
        super().save(*arguments, **options)
