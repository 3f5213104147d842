# Rebuilds the table in both directions: SQLite can't change a column, so ActiveRecord copies the table twice.
class RequireNames < ActiveRecord::Migration[6.1]
  def up
    execute "UPDATE outbox SET id = id WHERE 0" # a write first, as in any transaction
    add_column :person, :phone, :string
    change_column_null :person, :name, false, "Ann"
  end

  def down
    execute "UPDATE outbox SET id = id WHERE 0"
    change_column_null :person, :name, true
    remove_column :person, :phone
  end
end
