# The application's own record, and the mail that its sign-up requests.
class Person < ApplicationRecord
  validates :email, uniqueness: true # reads before it writes, in every save

  def self.sign_up(email)
    immediate_transaction do
      person = register(email)
      Outbox.create!(kind: "verify-email", recipient: email, account: person.id.to_s, valid_for: 30.minutes.in_milliseconds)
    end
  end

  def mail_status
    OutboxStatus.where(account: id.to_s).order(requested_at: :desc, id: :desc).first
  end

  # Reads, thinks for 50 ms, and writes: the read is what a deferred transaction fails on.
  def self.register(email)
    exists?(email: email)
    sleep 0.05
    create!(email: email, name: "Ann")
  end
end
