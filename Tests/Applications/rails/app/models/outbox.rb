# The table that the application inserts into.
class Outbox < ApplicationRecord
  self.table_name = "outbox"
end
