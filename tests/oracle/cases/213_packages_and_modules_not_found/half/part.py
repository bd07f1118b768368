import half.gone.deep
