# Tests of the application, in Rails' own test database.
require_relative "test_helper"

class SignUpTest < ActiveSupport::TestCase
  2.times do |number|
    test "a sign-up requests a mail, number #{number}" do
      Person.sign_up("ann@example.com")
      assert_equal ["queued", "wait"], Person.first.mail_status.slice(:state, :advice).values
    end
  end
end
