"""What serving remembers of its predictions, and how well they turned out.

predictor ──offer──► Recorder ──bounded queue──► Writer (thread) ──► database or standard output
                                            LogMaintenance (thread) ◄── database: live quality; old rows go
"""
