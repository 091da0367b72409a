"""From a video file to views: sampling, decoding, transform."""
