from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Person",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.EmailField(unique=True, max_length=254)),
                ("password", models.CharField(max_length=100)),
                ("verified", models.BooleanField(default=False)),
            ],
            options={"db_table": "person"},
        )
    ]
