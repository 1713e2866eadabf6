"""Text to pieces: WordPiece, sentence splitting, vocabulary training, entity marking."""
