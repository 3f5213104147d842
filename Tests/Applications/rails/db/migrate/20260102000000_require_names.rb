# Rebuilds the table in both directions: SQLite can't change a column, so ActiveRecord copies the table twice.
class RequireNames < ActiveRecord::Migration[6.1]
  def up
    execute "UPDATE outbox SET id = id WHERE 0" # a write first, as in every transaction
    copy_slowly
    add_column :person, :phone, :string
    change_column_null :person, :name, false, "Ann"
  end

  def down
    execute "UPDATE outbox SET id = id WHERE 0"
    copy_slowly
    change_column_null :person, :name, true
    remove_column :person, :phone
  end

  # ActiveRecord reads the table before it makes the copy. With many rows this takes a while.
  def copy_slowly
    select_value "SELECT count(*) FROM person"
    sleep 0.2
  end
end
