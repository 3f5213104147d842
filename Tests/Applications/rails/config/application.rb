# The settings of a minimal Rails application: ActiveRecord and its commands, no pages.
require "rails"
require "active_record/railtie"
require "rails/test_unit/railtie"

module Portal
  class Application < Rails::Application
    config.root = File.expand_path("..", __dir__)
    config.load_defaults 6.1
    config.eager_load = false
    config.logger = Logger.new(File::NULL)
    config.active_record.pluralize_table_names = false
  end
end
