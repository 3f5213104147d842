# The rows of ActiveRecord's own model of the table, from insert to delete; Tests/Applications/derived.py does the same in
# Python. All columns are sent in each statement: partial_writes is off.
module Derived
  REFUSED = "only_variables_locale_time_zone_and_cancelled_can_be_changed"
  COLUMNS = %w[
    id kind recipient token locale time_zone account variables idempotency_key not_before expires_at valid_for priority
    cancelled
  ]
  DEFAULTS = COLUMNS.to_h { |name| [name, nil] }.merge("variables" => "{}", "priority" => 0, "cancelled" => 0)
  LIMIT = 20 # seconds

  module_function

  def models(token)
    Outbox.partial_writes = false
    saved = insert_least(token)
    waiting = insert_all(token.reverse)
    deleted = insert_and_save
    [saved, *deleted].each { |row| wait_until_accepted(row.id) }
    save_late(saved, token)
    cancel(waiting)
    deleted.zip([1, 0]) { |row, foreign_keys| delete(row.id, foreign_keys) }
    { ok: true, note: "a bare class: all columns saved" }
  end

  def insert_least(token)
    least = { "kind" => "verify-email", "recipient" => "saved@models.example" }
    saved = Outbox.create!(**least, token: token)
    expect(columns(saved.id), DEFAULTS.merge(least, "id" => saved.id), "a row with the required columns only")
    saved
  end

  # Each column is given in one of two rows: expires_at and valid_for exclude each other.
  def insert_all(token)
    values = {
      "id" => 1_000_000, "kind" => "verify-email", "recipient" => "waiting@models.example", "token" => token,
      "locale" => "ja-JP", "time_zone" => "Asia/Tokyo", "account" => "models", "variables" => '{"name": "Ann"}',
      "idempotency_key" => "models", "not_before" => now + 3_600_000, "expires_at" => now + 7_200_000, "valid_for" => nil,
      "priority" => -3, "cancelled" => 0
    }
    waiting = Outbox.create!(**values)
    expect(columns(waiting.id), values.merge("token" => nil), "a row with all columns")
    waiting
  end

  # These objects have NULL where the row has a default, and are saved before the mail leaves.
  def insert_and_save
    Array.new(2) do |number|
      values = { "kind" => "verify-email", "recipient" => "deleted#{number}@models.example", "not_before" => now + 1000,
                 "valid_for" => 1_800_000 }
      row = Outbox.create!(**values, variables: nil, priority: nil, cancelled: nil)
      expect(columns(row.id), DEFAULTS.merge(values, "id" => row.id), "a row with NULL for each default")
      row.tap(&:save!)
    end
  end

  # The object still has the token, and all columns as they were before the mail.
  def save_late(saved, token)
    expect(saved.token, token, "the token of the object in memory")
    saved.save!
    saved.update!(cancelled: 1)
    error = answer_to(-> { saved.update!(recipient: "other@models.example") })
    expect(error.include?(REFUSED), true, "the error #{error} for another recipient")
    expect(columns(saved.id)["token"], nil, "the token after a late save")
    expect(state(saved.id), "accepted", "the state after a late save")
  end

  def cancel(waiting)
    Outbox.find(waiting.id).update!(cancelled: 1)
    expect(state(waiting.id), "cancelled", "the state after cancelling")
    waiting.save!
    expect(columns(waiting.id)["token"], nil, "the token of a cancelled message after a late save")
    expect(state(waiting.id), "cancelled", "the state of a cancelled message after a late save")
  end

  def delete(id, foreign_keys)
    Outbox.connection.execute("PRAGMA foreign_keys = #{foreign_keys}")
    expect(Outbox.connection.select_value("PRAGMA foreign_keys"), foreign_keys, "PRAGMA foreign_keys")
    Outbox.find(id).destroy!
    expect(state(id), nil, "the state of a deleted row, with foreign_keys = #{foreign_keys}")
  end

  def columns(id) = Outbox.find(id).attributes

  def state(id) = OutboxStatus.find_by(id: id)&.state

  def now = (Time.now.to_f * 1000).to_i

  def expect(found, wanted, what)
    raise "#{what}: #{found.inspect}, not #{wanted.inspect}" if found != wanted
  end

  def wait_until_accepted(id)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + LIMIT
    until (found = state(id)) == "accepted"
      raise "the message #{id} is #{found} after #{LIMIT} s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.05
    end
  end
end
