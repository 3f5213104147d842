# An application with Rails' ActiveRecord that uses the outbox as docs/applications.md says. It prints one line of JSON for
# each command, and migrates with Rails' own tasks.
require_relative "config/environment"
require_relative "derived"
require "digest"
require "json"
require "open3"

def answer_to(work)
  work.call
  "no error"
rescue ActiveRecord::ActiveRecordError => error
  error.message
end

def repeat(count)
  result = { committed: 0, locked: 0, other: [] }
  count.times do |number|
    yield "rails-#{Process.pid}-#{number}@example.com"
    result[:committed] += 1
  rescue ActiveRecord::ActiveRecordError => error
    error.message.include?("locked") ? result[:locked] += 1 : result[:other] << error.message
  ensure
    sleep rand * 0.4
  end
  result
end

# ActiveRecord's default: the transaction begins with a read.
def deferred_sign_up(email)
  Person.transaction do
    person = Person.register(email)
    Outbox.create!(kind: "verify-email", recipient: email, account: person.id.to_s, valid_for: 30.minutes.in_milliseconds)
  end
end

def status(email)
  newer = %w[1 0], [1, 0]
  counts = newer.map { |since, twice| OutboxStatus.where("requested_at > ? AND may_arrive_twice = ?", since, twice).count }
  return { error: "by text and by number: #{counts}" } if counts.uniq.size > 1

  newest = Person.find_by!(email: email).mail_status
  { state: newest.state, advice: newest.advice }
end

# Its first statement is a write, so it needs nothing more.
def redeem(token)
  Person.transaction do
    digest = ActiveModel::Type::Binary.new.serialize(Digest::SHA256.digest(token))
    binds = [(Time.now.to_f * 1000).to_i, digest, digest]
    rows = Person.connection.exec_query(<<~SQL, "redeem", binds)
      UPDATE outbox_token SET presented_at = ?, presented = ? WHERE digest = ? AND kind = 'verify-email' RETURNING result
    SQL
    rows.first&.fetch("result") || "unknown"
  end
end

def rails(*words, environment: {})
  text, done = Open3.capture2e(environment, "bin/rails", *words, chdir: __dir__)
  raise "bin/rails #{words.join(" ")}: #{text.lines.grep_v(/^(\s*from )?\//).first(6).join}" unless done.success?

  text
end

def rebuild(direction)
  rails "db:migrate:#{direction}", "VERSION=20260102000000"
  names = Person.connection.columns("person").map(&:name)
  { ok: names.include?("phone") == (direction == "up") }
end

# In a copy of the file: schema.rb has no outbox. A test database made of it, and then of the outbox's own schema, works.
def tools(database)
  copy = { "DATABASE" => "#{database}.copy", "SCHEMA" => "#{database}.copy.schema.rb" }
  Person.connection.execute("VACUUM INTO #{Person.connection.quote(copy["DATABASE"])}")
  rails "db:migrate", environment: copy # also writes schema.rb
  dump = File.read(copy["SCHEMA"])
  return { ok: false, note: dump } if dump.include?("outbox") || !dump.include?("person")

  # Twice: the second time the databases are there, and Rails empties all their tables.
  text = Array.new(2) { rails("test", environment: copy.merge("RAILS_ENV" => "test")) }.last
  { ok: true, note: "schema.rb has no outbox; tests: #{text[/^\d+ runs.*/]}" }
end

command, database, *rest = ARGV
result =
  case command
  when "create" then rails("db:migrate", "VERSION=20260101000000") && { ok: true }
  when "transactions" then repeat(rest[0].to_i) { |email| Person.sign_up(email) }
  when "deferred" then repeat(rest[0].to_i) { |email| deferred_sign_up(email) }
  when "wrong"
    wrong = { expires_at: 30.minutes.from_now.to_i, instant: 30.minutes.from_now }
    { error: answer_to(-> { Outbox.create!(kind: "verify-email", recipient: "r@example.com", expires_at: wrong[:expires_at]) }),
      hash: answer_to(-> { Outbox.create!(kind: "verify-email", recipient: "r@example.com", variables: { name: "Ann" }) }) }
  when "status" then status(*rest)
  when "redeem" then { result: redeem(*rest) }
  when "rebuild" then rebuild(*rest)
  when "tools" then tools(database)
  when "models" then Derived.models(*rest)
  end
puts JSON.generate(result)
