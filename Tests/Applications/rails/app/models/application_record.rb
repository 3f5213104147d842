# Begins transactions so that they wait for the lock.
class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true

  # The first statement is a write: it waits up to `timeout`. A write after a read fails at once if outboxd committed between.
  def self.immediate_transaction
    transaction do
      Outbox.where("0").update_all("id = id")
      yield
    end
  end
end
