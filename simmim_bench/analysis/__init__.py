"""What a trained backbone has become: attention, similarity, rank, neighbourhoods, evidence."""
