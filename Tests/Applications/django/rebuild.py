"""A migration of the application's own table; Django copies, drops and renames the table for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.AddField("person", "name", models.CharField(max_length=100, default="")),
        migrations.AlterField("person", "first_name", models.CharField(max_length=200)),
    ]
