package store

// Seal lets tests forge records.
var Seal = seal
