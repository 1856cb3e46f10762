{"file":"lists.ndjson","line":1,"reason":"id: expected string, got nothing","text":"{\"user\":\"u:1\",\"items\":[{\"id\":\"artist:1\",\"score\":1.0},{\"id\":\"for:u:1\",\"score\":0.5}]}"}
