"""Raw literature (PubMed XML, PMC JATS, plain text) to documents and token shards."""
