<?php
// What Doctrine's comparison of schemas would do to the file of this application: with the filter nothing to the outbox.
declare(strict_types=1);

require '/usr/share/php/Doctrine/DBAL/autoload.php';

use Doctrine\DBAL\Configuration;
use Doctrine\DBAL\DriverManager;
use Doctrine\DBAL\Schema\Schema;

/** The statements of a migration that is to leave only the tables of `$wanted`. */
function migration(string $file, Schema $wanted, Configuration $configuration): array
{
    $db = DriverManager::getConnection(['driver' => 'pdo_sqlite', 'path' => $file], $configuration);
    $schemas = $db->createSchemaManager();
    $difference = $schemas->createComparator()->compareSchemas($schemas->introspectSchema(), $wanted);
    return $db->getDatabasePlatform()->getAlterSchemaSQL($difference);
}

function filtered(): Configuration
{
    $configuration = new Configuration();
    $configuration->setSchemaAssetsFilter(fn ($name) => !str_starts_with($name, 'outbox'));
    return $configuration;
}

/** The tables that a migration to an empty schema drops: without and with the filter. */
function dropped(string $file): array
{
    return array_map(
        fn (Configuration $configuration) => array_map(
            fn (string $sql) => str_replace('DROP TABLE ', '', $sql),
            migration($file, new Schema(), $configuration)
        ),
        [new Configuration(), filtered()]
    );
}
