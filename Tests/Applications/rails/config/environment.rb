# Starts the application, for rake's tasks, for its tests and for app.rb.
require_relative "application"

Rails.application.initialize!
