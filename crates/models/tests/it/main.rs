//! Models beside PyTorch, NumPy, Transformers and plain loops, and what is promised of them and of their techniques.

mod decoders;
mod encoders;
mod images;
mod looking;
mod real;
mod techniques;
mod whisper;
