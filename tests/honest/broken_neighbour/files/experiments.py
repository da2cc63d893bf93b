def train(:
    print 'old python'
