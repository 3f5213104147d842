# The view that says what became of a mail.
class OutboxStatus < ApplicationRecord
  self.table_name = "outbox_status"
  self.primary_key = "id"
end
