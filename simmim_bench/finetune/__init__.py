"""Fine-tuning: strict loading of pretrained backbones and what tasks need around them."""
