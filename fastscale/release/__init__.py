"""Released checkpoints: publishing, verifying and loading them. Reading order:

    safefile, description     the file: safetensors bytes and their header
    checkpoint, preprocess    a network's description and weights in memory; its test preprocessing
    manifest, card            what is released here, and the pages made from it
    fetch, hub, load          from a name to a verified file to a network
    score, publish, verify    the recorded error, before and after release
    predict                   class names for images
    importing, fuse, export   other projects' weights; folded batch norms; files for other programs

Importing this package is cheap: it imports none of its modules.
"""
