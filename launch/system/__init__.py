"""The two stages in use: which surface, and has it a defect?"""
