"""Released checkpoints: published, verified, loaded, with everything that belongs to a network. Reading order:

    safefile, description     the file: safetensors bytes, and what its header says
    checkpoint, preprocess    a network's description and weights in hand, and its test preprocessing
    manifest, card            what is released here, and the text made from it
    fetch, hub, load          from a name to a verified file to a network
    score, publish, verify    the recorded error, before and after
    predict                   class names for images
    importing, fuse, export   other projects' weights; folded batch norms; files for other programs

Importing this package is cheap: its modules are imported by those who use them.
"""
