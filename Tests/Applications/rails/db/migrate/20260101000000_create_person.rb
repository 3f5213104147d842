# The application's own table.
class CreatePerson < ActiveRecord::Migration[6.1]
  def change
    create_table :person do |t|
      t.string :email, null: false, index: { unique: true }
      t.string :name
    end
  end
end
