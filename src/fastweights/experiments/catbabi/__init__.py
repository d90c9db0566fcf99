"""catbAbI: its experiment, the settings of its models, typed stories, pictures, the paper's table."""
