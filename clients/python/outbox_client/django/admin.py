"""A read-only page for support: each mail with its state, the advice for its person, and the words of the relay."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from .models import MessageStatus


@admin.register(MessageStatus)
class MessageStatusAdmin(admin.ModelAdmin):
    list_display = ("id", "kind", "recipient", "account", "state", "advice", "advice_at", "requested_at", "detail")
    readonly_fields = ("tries",)
    search_fields = ("recipient",)
    search_help_text = "An address, an account or a message's id, each as a whole"
    # A click on a column's head would sort the whole table.
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    actions = None

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first. By id SQLite needs no sorting of all mails, but would look for a person's mails among all."""
        return ("-requested_at", "-id") if request.GET.get("q") else ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By whole values, each of which has an index. Django's search with LIKE would read the whole table."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(recipient=term), False
        found = queryset.filter(account=term)
        if term.isascii() and term.isdigit() and len(term) < 19 and not found.exists():
            found = queryset.filter(id=int(term))
        return found, False

    @admin.display(description="attempts")
    def tries(self, message: MessageStatus) -> str:
        """Each attempt, with its relay and the words about it."""
        with connections[message._state.db].cursor() as cursor:
            cursor.execute(
                "SELECT attempt, strftime('%%Y-%%m-%%d %%H:%%M:%%S', started_at / 1000, 'unixepoch') || ' UTC', "
                "coalesce(outcome, 'running'), coalesce(relay, ''), coalesce(reason, ''), coalesce(detail, '') "
                "FROM outbox_attempt WHERE message_id = %s ORDER BY attempt",
                [message.pk],
            )
            rows = cursor.fetchall()
        if not rows:
            return "none"
        return format_html("<ol>{}</ol>", format_html_join("", "<li value='{}'>{} {} {} {}<br>{}</li>", rows))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
