"""The command `sandlot`: one file per verb, loaded only when the verb is used."""
