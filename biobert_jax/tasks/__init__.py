"""What pre-training, NER, relation extraction and question answering do differently."""
