# Prepares the test database: schema.rb's tables come from Rails, the outbox from its own schema.
require_relative "../config/environment"
require "rails/test_help"

class ActiveSupport::TestCase
  def self.load_outbox # from the output of `outboxctl schema`
    schema = File.read(ENV.fetch("APPS_SCHEMA"))
    ActiveRecord::Base.connection.raw_connection.execute_batch(schema) unless Outbox.table_exists?
  end
  load_outbox
  parallelize(workers: 2)
  parallelize_setup { load_outbox }
end
