from django.db import models


class Person(models.Model):
    email = models.EmailField(unique=True)
    password = models.CharField(max_length=100)
    verified = models.BooleanField(default=False)

    class Meta:
        db_table = "person"
